// The turns of one row: all peers one after the other, and again, so that whatever else the machine does meets all of them.
import type { Contender } from './contenders.ts'
import { costsOf, type Spent } from './costs.ts'
import { type Failure, failureBefore, failureOf, outcomeOf } from './outcome.ts'
import type { Result } from './result.ts'
import type { Turn } from './measured-turn.ts'
import type { RowPlan, Size } from './row.ts'
import { Stage } from './stage.ts'
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
  #stage: Stage | undefined
  #peakBytes = 0
  #counted: Spent | undefined
  #failure: Failure | undefined

  constructor(row: RowPlan, contender: Contender, options: TurnsOptions) {
    this.#row = row
    this.#contender = contender
    this.#options = options
    this.#size = sizeFor(contender, options.size)
    this.#failure = failureBefore(contender.peer, row.name)
  }

  async takeTurn(round: number): Promise<void> {
    if (this.#failure !== undefined) return
    try {
      const stage = (this.#stage ??= await this.#prepare())
      const turn = await (round === 0 ? this.#countedTurn(stage) : this.#row.turn(stage, this.#size, round))
      if (round > 0) this.#turns.push(turn)
      this.#tell(round, `${turn.value.toFixed(1)} ${this.#row.unit} ${turn.note ?? ''}`)
      if (turn.leftOver) await this.leave()
    } catch (error) {
      this.#failure = failureOf(error)
      this.#tell(round, error instanceof Error ? (error.stack ?? error.message) : String(error))
      await countStatements(this.#options.stores.postgres, false)
      await this.leave()
    }
  }

  /** The first turn warms up caches and plans: it is not timed, but its statements are counted, where no others take theirs beside it. */
  async #countedTurn(stage: Stage): Promise<Turn> {
    const isAlone = this.#row.together !== true
    if (isAlone) await stage.count(true)
    const turn = await this.#row.turn(stage, this.#size, 0)
    if (isAlone) await stage.count(false)
    this.#counted = turn.spent
    return turn
  }

  async #prepare(): Promise<Stage> {
    const { stores } = this.#options
    const { peer, peerName, profile } = this.#contender
    const stage = await Stage.open({ stores, peer, peerName, profile, setup: this.#row.setup ?? {} })
    try {
      await this.#row.before?.(stage, this.#size)
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
    await stage.close()
  }

  result(): Result {
    const { peer, profile } = this.#contender
    const common = { row: this.#row.name, peer: peer.name, profile }
    const outcome = outcomeOf(this.#turns, this.#failure, this.#row.noteOf)
    if (outcome.values.length === 0) return { ...common, ...outcome }
    const costs = costsOf({
      counted: this.#counted,
      timed: this.#turns.flatMap(({ spent }) => (spent === undefined ? [] : [spent])),
      inPostgres: peer.store === 'postgres',
      peakBytes: this.#peakBytes,
    })
    return { ...common, ...outcome, ...(costs === undefined ? {} : { costs }) }
  }

  #tell(round: number, text: string): void {
    const { peer, profile } = this.#contender
    this.#options.tell(`${this.#row.name}, turn ${round}, ${peer.name} (${profile}): ${text}`)
  }
}
