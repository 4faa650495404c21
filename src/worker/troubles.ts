// What a worker says about its database: each trouble once, and again after a while.
import { MillraceError } from '../core/errors.ts'
import type { WorkerLogEntry } from './options.ts'
import { isPassing } from './flush.ts'

/** The same trouble is told again after this time, another reason for which the database is away after that: one that goes down and comes up has many. */
const toldAgainMs = 30_000
const toldNextMs = 1_000
/** So many errors that differ are told within the time of one: texts with an id in them would fill the log. */
const errorsMax = 100

export class Troubles {
  readonly #log: (entry: WorkerLogEntry) => void
  readonly #monotonic: () => number
  #last = { message: '', at: Number.NEGATIVE_INFINITY }
  /** Errors that were told, and when. */
  readonly #errors = new Map<string, number>()

  /** @param monotonic milliseconds from a clock that never goes back */
  constructor(log: (entry: WorkerLogEntry) => void, monotonic: () => number) {
    this.#log = log
    this.#monotonic = monotonic
  }

  /** A call has failed: the database is away for a while, or it refuses. */
  failed(error: unknown): void {
    const { message } = error as Error
    if (error instanceof MillraceError && error.code === 'artifact_store_failed')
      this.tell({ level: 'error', message })
    else if (isPassing(error))
      this.tell({ level: 'warn', message: `The database can't be used at present: ${message}` })
    else this.tell({ level: 'error', message: `The database refused a call: ${message}` })
  }

  tell(entry: WorkerLogEntry): void {
    const now = this.#monotonic()
    if (entry.level === 'error' ? !this.#isNew(entry.message, now) : this.#isTooSoon(entry, now)) return
    this.#last = { message: entry.message, at: now }
    this.#log(entry)
  }

  /** A database that is away is not worth a line for each heartbeat. */
  #isTooSoon({ level, message }: WorkerLogEntry, now: number): boolean {
    const since = now - this.#last.at
    return since < (message === this.#last.message ? toldAgainMs : level === 'info' ? 0 : toldNextMs)
  }

  /** Errors that come together, turn after turn, are each told. */
  #isNew(message: string, now: number): boolean {
    for (const [told, at] of this.#errors) if (now - at >= toldAgainMs) this.#errors.delete(told)
    if (this.#errors.has(message) || this.#errors.size >= errorsMax) return false
    this.#errors.set(message, now)
    return true
  }
}
