// The turns of one row: all peers one after the other, and again, so that whatever else the machine does meets all of them.
import type { Contender } from './contenders.ts'
import type { Costs, Result } from './result.ts'
import { NoValue, type RowPlan, type Size, type Turn } from './row.ts'
import { type Cost, Stage } from './stage.ts'
import type { Stores } from './stores.ts'
import { countStatements } from './usage.ts'

const defaultLimitMs = 5_000

export interface TurnsOptions {
  readonly stores: Stores
  readonly rounds: number
  readonly size: Size
  /** Hears of each turn, so that whoever waits sees that it goes on. */
  readonly tell: (text: string) => void
}

/** One result for each contender: values, or why there are none. */
export async function takeTurns(
  row: RowPlan,
  contenders: readonly Contender[],
  options: TurnsOptions,
): Promise<Result[]> {
  const seats = contenders.map((contender) => new Seat(row, contender, options))
  const rounds = Math.min(options.rounds, row.rounds ?? options.rounds)
  try {
    for (let round = 0; round <= rounds; round++) {
      if (row.together === true) await Promise.all(seats.map((seat) => seat.takeTurn(round)))
      else for (const seat of seats) await seat.takeTurn(round)
    }
  } finally {
    for (const seat of seats) await seat.leave()
  }
  return seats.map((seat) => seat.result())
}

/** By default some look for work once in two seconds: a part of the work tells as much of them as all of it. */
function sizeFor({ profile }: Contender, size: Size): Size {
  return profile === 'default' ? { ...size, limitMs: Math.min(size.limitMs, defaultLimitMs) } : size
}

/** One contender in one row. */
class Seat {
  readonly #row: RowPlan
  readonly #contender: Contender
  readonly #options: TurnsOptions
  readonly #size: Size
  readonly #turns: Turn[] = []
  readonly #costs: Cost[] = []
  #stage: Stage | undefined
  #unitsOfStage = 0
  #peakBytes = 0
  #statements: number | undefined
  #commits: number | undefined
  #cannot: string | undefined

  constructor(row: RowPlan, contender: Contender, options: TurnsOptions) {
    this.#row = row
    this.#contender = contender
    this.#options = options
    this.#size = sizeFor(contender, options.size)
    this.#cannot = contender.peer.cannot[row.name]
  }

  async takeTurn(round: number): Promise<void> {
    if (this.#cannot !== undefined) return
    try {
      const stage = (this.#stage ??= await this.#prepare())
      const isCounted = round === 0 && this.#row.together !== true
      const turn = await (isCounted ? this.#countedTurn(stage) : this.#timedTurn(stage, round))
      this.#unitsOfStage += turn.units
      this.#tell(round, `${turn.value.toFixed(1)} ${this.#row.unit} ${turn.note ?? ''}`)
      if (turn.leftOver) await this.leave()
    } catch (error) {
      this.#cannot = reasonOf(error)
      this.#tell(round, error instanceof Error ? (error.stack ?? error.message) : String(error))
      await countStatements(this.#options.stores.postgres, false)
      await this.leave()
    }
  }

  /** The first turn warms up caches and plans: it is not timed, but its statements are counted. */
  async #countedTurn(stage: Stage): Promise<Turn> {
    const { postgres } = this.#options.stores
    await countStatements(postgres, true)
    const before = await stage.statements()
    const turn = await this.#row.turn(stage, this.#size)
    this.#statements = ((await stage.statements()) - before) / Math.max(1, turn.units)
    await countStatements(postgres, false)
    return turn
  }

  async #timedTurn(stage: Stage, round: number): Promise<Turn> {
    const before = await stage.cost()
    const turn = await this.#row.turn(stage, this.#size)
    const after = await stage.cost()
    if (round === 0) return turn
    this.#turns.push(turn)
    this.#costs.push({
      clientCpuSeconds: after.clientCpuSeconds - before.clientCpuSeconds,
      serverCpuSeconds: after.serverCpuSeconds - before.serverCpuSeconds,
      logBytes: after.logBytes - before.logBytes,
    })
    return turn
  }

  async #prepare(): Promise<Stage> {
    const { stores } = this.#options
    const { peer, peerName, profile } = this.#contender
    const stage = await Stage.open({ stores, peer, peerName, profile, setup: this.#row.setup ?? {} })
    try {
      await this.#row.before?.(stage, this.#size)
      this.#unitsOfStage = 0
      return stage
    } catch (error) {
      await stage.close()
      throw error
    }
  }

  /** Ends its processes and drops its place, after the last look at what they did. */
  async leave(): Promise<void> {
    const stage = this.#stage
    this.#stage = undefined
    if (stage === undefined) return
    this.#peakBytes = Math.max(this.#peakBytes, stage.peakBytes)
    await stage.closeAgents()
    if (this.#unitsOfStage > 0 && this.#row.before === undefined)
      this.#commits = (await stage.commits()) / this.#unitsOfStage
    await stage.close()
  }

  result(): Result {
    const { peer, profile } = this.#contender
    const note = this.#turns.at(-1)?.note
    return {
      row: this.#row.name,
      peer: peer.name,
      profile,
      values: this.#cannot === undefined ? this.#turns.map(({ value }) => value) : [],
      ...(note === undefined ? {} : { note }),
      ...(this.#cannot === undefined ? this.#costsTold() : { cannot: this.#cannot }),
    }
  }

  /** Where all take their turn together, nobody can say what of the server's work was whose. */
  #costsTold(): { readonly costs?: Costs } {
    return this.#row.together === true ? {} : { costs: this.#costsEach() }
  }

  #costsEach(): Costs {
    const { peer } = this.#contender
    const units = Math.max(
      1,
      this.#turns.reduce((sum, turn) => sum + turn.units, 0),
    )
    const inPostgres = peer.store === 'postgres'
    const total = (pick: (cost: Cost) => number) => this.#costs.reduce((sum, cost) => sum + pick(cost), 0)
    return {
      clientCpuMs: (1_000 * total((cost) => cost.clientCpuSeconds)) / units,
      serverCpuMs: (1_000 * total((cost) => cost.serverCpuSeconds)) / units,
      statements: inPostgres ? (this.#statements ?? null) : null,
      commits: inPostgres ? (this.#commits ?? null) : null,
      logBytes: inPostgres ? total((cost) => cost.logBytes) / units : null,
      peakBytes: this.#peakBytes,
    }
  }

  #tell(round: number, text: string): void {
    const { peer, profile } = this.#contender
    this.#options.tell(`${this.#row.name}, turn ${round}, ${peer.name} (${profile}): ${text}`)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof NoValue) return error.message
  return `it failed: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`
}
