// One peer in one row: its place in the stores, its processes, and what they cost.
import pg from 'pg'
import { Agent } from './agent-process.ts'
import type { Cost, Counted } from './costs.ts'
import type { OwnServer, Peer, Profile, Setup } from './peer.ts'
import type { PeerName } from './peer-names.ts'
import type { OpenPlace, Stores } from './stores.ts'
import { commitsBetween, countStatements, logPosition, statementsIn, treeCpuSeconds } from './usage.ts'

export interface StageOptions {
  readonly stores: Stores
  readonly peer: Peer
  readonly peerName: PeerName
  readonly profile: Profile
  readonly setup: Setup
}

/** What all that works for a peer has taken up to a moment; only differences say anything. */
interface Taken {
  readonly clientCpuSeconds: number
  readonly serverCpuSeconds: number
  readonly logBytes: number
  readonly statements: number
}

export class Stage {
  readonly peer: Peer
  readonly profile: Profile
  readonly database: string
  readonly postgresUrl: string
  readonly #options: StageOptions
  readonly #place: OpenPlace
  readonly #agents = new Map<string, Agent>()
  #server: OwnServer | undefined
  #peakBytes = 0
  #counts = false

  private constructor(options: StageOptions, place: OpenPlace) {
    this.#options = options
    this.#place = place
    this.peer = options.peer
    this.profile = options.profile
    this.database = place.database
    this.postgresUrl = place.postgresUrl
  }

  /** With its tables and rules made. */
  static async open(options: StageOptions): Promise<Stage> {
    const place = await options.stores.makePlace()
    const stage = new Stage(options, place)
    try {
      stage.#server = await options.peer.serve?.(place.folder)
      await (await stage.agent('client')).call('prepare')
    } catch (error) {
      await stage.close()
      throw error
    }
    return stage
  }

  /** The process of that name, started when it is first asked for. */
  async agent(name: string): Promise<Agent> {
    const known = this.#agents.get(name)
    if (known !== undefined) return known
    const { peerName, profile, setup } = this.#options
    const { postgresUrl, redisUrl } = this.#place
    const place = { postgresUrl, redisUrl, serverUrl: this.#server?.url ?? '' }
    const agent = await Agent.start({ peer: peerName, place, profile, setup })
    this.#agents.set(name, agent)
    return agent
  }

  /** Several processes of one kind; where one does not open, the others are known all the same, and closed with the rest. */
  async agents(kind: string, count: number): Promise<Agent[]> {
    const opening = Array.from({ length: count }, (_, n) => this.agent(`${kind} ${n}`))
    await Promise.allSettled(opening)
    return Promise.all(opening)
  }

  /** Forgets a process that was killed. */
  forget(name: string): void {
    this.#agents.delete(name)
  }

  /** From now on statements and commits of what is measured are counted, or are not: that slows the server down. */
  async count(counted: boolean): Promise<void> {
    await countStatements(this.#options.stores.postgres, counted)
    this.#counts = counted
  }

  /** What work gave, and what it cost: what is done before and after it is not in there. */
  async metered<T>(work: () => Promise<T>): Promise<{ readonly given: T; readonly cost: Cost }> {
    const before = await this.#taken()
    const given = await work()
    const after = await this.#taken()
    const cost = {
      clientCpuSeconds: after.clientCpuSeconds - before.clientCpuSeconds,
      serverCpuSeconds: after.serverCpuSeconds - before.serverCpuSeconds,
      logBytes: after.logBytes - before.logBytes,
    }
    return { given, cost: this.#counts ? { ...cost, counted: await this.#counted(before, after) } : cost }
  }

  /** A command for the whole database, in the name of nobody. */
  async maintain(command: 'analyze' | 'vacuum analyze' | 'checkpoint'): Promise<void> {
    const client = new pg.Client(this.postgresUrl)
    await client.connect()
    try {
      await client.query(command)
    } finally {
      await client.end()
    }
  }

  /** Of everything that works for this peer, since it began; Postgres and Redis have worked for others as well. */
  async #taken(): Promise<Taken> {
    const { stores } = this.#options
    let clientCpuSeconds = 0
    for (const agent of this.#agents.values()) {
      const { cpuSeconds, peakBytes } = await agent.call('usage')
      clientCpuSeconds += cpuSeconds
      this.#peakBytes = Math.max(this.#peakBytes, peakBytes)
    }
    const servers = [this.#server?.processId, stores.postgresProcess]
    if (this.peer.store === 'redis') servers.push(stores.redisProcess)
    return {
      clientCpuSeconds,
      serverCpuSeconds: servers.map(treeCpuSeconds).reduce((sum, seconds) => sum + seconds, 0),
      logBytes: await logPosition(stores.postgres),
      statements: this.#counts ? (await statementsIn(stores.postgres, this.database)) - this.#asked() : 0,
    }
  }

  async #counted(before: Taken, after: Taken): Promise<Counted> {
    return {
      statements: after.statements - before.statements,
      commits: await commitsBetween(this.#options.stores.postgres, before.logBytes, after.logBytes),
    }
  }

  /** How many statements were ours. */
  #asked(): number {
    return [...this.#agents.values()].reduce((sum, { asked }) => sum + asked, 0)
  }

  /** The most that one of its processes held at any moment before the last look at the cost. */
  get peakBytes(): number {
    return this.#peakBytes
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()]
    this.#agents.clear()
    await Promise.all(agents.map((agent) => agent.close()))
    await this.#server?.stop()
    await this.#place.drop()
  }
}
