// Owns the lines that `millrace dev` prints as runs end.
import { isFinal } from '../core/state.ts'
import { count, durationWords, oneLine } from '../core/wording.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { createPool, describeDatabase } from '../db/connection.ts'
import { readClock } from '../db/diagnosis.ts'
import { followRuns, type RunRow } from '../db/run-list.ts'
import { lookEvery } from './repeated-look.ts'

const lookEveryMs = 500
/** Ids are made by clients, whose clocks may run behind. */
const behindMs = 10_000
const linesPerLook = 20

export interface Follower {
  close(): Promise<void>
}

/** Prints a line for each run that ends from now on. */
export async function followEnds(database: string, print: (line: string) => void): Promise<Follower> {
  const pool = createPool({ connectionString: database, connectionsMax: 1, applicationName: 'millrace dev' })
  const caller = poolCaller(pool, { prepare: false, database: describeDatabase(database) })
  const ends = new Ends(caller, await readClock(caller), print)
  const endLooks = lookEvery(lookEveryMs, () => ends.look())
  return {
    close: async () => {
      await endLooks()
      await ends.look()
      await pool.end()
    },
  }
}

export class Ends {
  readonly #caller: Caller
  readonly #print: (line: string) => void
  readonly #began: Date
  readonly #live = new Set<string>()
  #seen = new Set<string>()
  #since: Date

  constructor(caller: Caller, began: Date, print: (line: string) => void) {
    this.#caller = caller
    this.#began = began
    this.#since = new Date(began.getTime() - behindMs)
    this.#print = print
  }

  /** A look that fails, because the database is away, is made up for by the next. */
  async look(): Promise<void> {
    const since = this.#since
    const runs = await this.#read(since)
    if (runs === undefined) return
    const ended = runs.filter((run) => this.#hasEnded(run))
    for (const run of ended.slice(0, linesPerLook)) this.#print(endLine(run))
    if (ended.length > linesPerLook)
      this.#print(`… and ${count(ended.length - linesPerLook, 'more run', 'more runs')} ended`)
    this.#seen = new Set(runs.filter(({ state }) => isFinal(state)).map(({ id }) => id))
  }

  async #read(since: Date): Promise<RunRow[] | undefined> {
    try {
      const now = await readClock(this.#caller)
      const runs = await followRuns(this.#caller, since, [...this.#live])
      this.#since = new Date(now.getTime() - behindMs)
      return runs
    } catch {
      return undefined
    }
  }

  #hasEnded({ id, state, finished_at }: RunRow): boolean {
    if (!isFinal(state) || finished_at === null) {
      this.#live.add(id)
      return false
    }
    this.#live.delete(id)
    return !this.#seen.has(id) && finished_at >= this.#began
  }
}

function endLine({ id, pipeline, key, state, created_at, finished_at, error }: RunRow): string {
  const name = key === null ? pipeline : `${pipeline} ${oneLine(key)}`
  const took = durationWords((finished_at?.getTime() ?? 0) - created_at.getTime())
  const why = error?.message === undefined ? '' : `: ${oneLine(error.message)}`
  return `${id}  ${name} ${state} in ${took}${why}`
}
