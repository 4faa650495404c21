// One peer in one row: its place in the stores, its processes, and what they cost.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Agent } from './agent-process.ts'
import type { OwnServer, Peer, Profile, Setup } from './peer.ts'
import type { PeerName } from './peers.ts'
import type { OpenPlace, Stores } from './stores.ts'
import { commitsIn, logPosition, statementsIn, treeCpuSeconds } from './usage.ts'

export interface StageOptions {
  readonly stores: Stores
  readonly peer: Peer
  readonly peerName: PeerName
  readonly profile: Profile
  readonly setup: Setup
}

/** What its turns have cost so far. */
export interface Cost {
  readonly clientCpuSeconds: number
  readonly serverCpuSeconds: number
  readonly logBytes: number
}

export class Stage {
  readonly peer: Peer
  readonly profile: Profile
  readonly database: string
  readonly postgresUrl: string
  readonly #options: StageOptions
  readonly #place: OpenPlace
  readonly #server: OwnServer | undefined
  readonly #folder: string
  readonly #agents = new Map<string, Agent>()
  #peakBytes = 0
  #askedBefore = 0

  private constructor(
    options: StageOptions,
    place: OpenPlace,
    server: OwnServer | undefined,
    folder: string,
  ) {
    this.#options = options
    this.#place = place
    this.#server = server
    this.#folder = folder
    this.peer = options.peer
    this.profile = options.profile
    this.database = place.database
    this.postgresUrl = place.postgresUrl
  }

  /** With its tables and rules made. */
  static async open(options: StageOptions): Promise<Stage> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-peer-'))
    const place = await options.stores.makePlace()
    const server = await options.peer.serve?.(folder)
    const stage = new Stage(options, place, server, folder)
    try {
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

  /** Several processes of one kind. */
  agents(kind: string, count: number): Promise<Agent[]> {
    return Promise.all(Array.from({ length: count }, (_, n) => this.agent(`${kind} ${n}`)))
  }

  /** Forgets a process that was killed. */
  forget(name: string): void {
    this.#agents.delete(name)
  }

  /** Of everything that works for this peer, since it began; Postgres and Redis have worked for others as well: differences count. */
  async cost(): Promise<Cost> {
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
    }
  }

  /** The most that one of its processes held at any moment before the last look at the cost. */
  get peakBytes(): number {
    return this.#peakBytes
  }

  /** How many statements were ours. */
  get asked(): number {
    return [...this.#agents.values()].reduce((sum, { asked }) => sum + asked, this.#askedBefore)
  }

  /** Ends its processes, so that their backends have told what they did. */
  async closeAgents(): Promise<void> {
    this.#askedBefore = this.asked
    const agents = [...this.#agents.values()]
    this.#agents.clear()
    await Promise.all(agents.map((agent) => agent.close()))
  }

  /** Commits in its database that were not ours; whole only when its processes are gone. */
  async commits(): Promise<number> {
    return (await commitsIn(this.#options.stores.postgres, this.database)) - this.asked
  }

  /** Statements that were counted in its database, without ours. */
  async statements(): Promise<number> {
    return (await statementsIn(this.#options.stores.postgres, this.database)) - this.asked
  }

  async close(): Promise<void> {
    await this.closeAgents()
    await this.#server?.stop()
    await this.#place.drop()
    fs.rmSync(this.#folder, { recursive: true, force: true })
  }
}
