// What a worker says about its database: each trouble once, and again after a while.
import type { WorkerLogEntry } from './options.ts'
import { isPassing } from './flush.ts'

/** The same trouble is told again after this time, another one after that: a server that goes down and comes up has many reasons. */
const toldAgainMs = 30_000
const toldNextMs = 1_000

export class Troubles {
  readonly #log: (entry: WorkerLogEntry) => void
  readonly #monotonic: () => number
  #last = { message: '', at: 0 }

  /** @param monotonic milliseconds from a clock that never goes back */
  constructor(log: (entry: WorkerLogEntry) => void, monotonic: () => number) {
    this.#log = log
    this.#monotonic = monotonic
  }

  /** A call has failed: the database is away for a while, or it refuses. */
  failed(error: unknown): void {
    const { message } = error as Error
    if (isPassing(error))
      this.tell({ level: 'warn', message: `The database can't be used at present: ${message}` })
    else this.tell({ level: 'error', message: `The database refused a call: ${message}` })
  }

  /** A database that is away is not worth a line for each heartbeat. */
  tell(entry: WorkerLogEntry): void {
    const now = this.#monotonic()
    const since = now - this.#last.at
    const waits = entry.message === this.#last.message ? toldAgainMs : entry.level === 'info' ? 0 : toldNextMs
    if (since < waits) return
    this.#last = { message: entry.message, at: now }
    this.#log(entry)
  }
}
