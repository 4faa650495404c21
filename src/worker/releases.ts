// What a worker that stops gives back: sent again until the database has answered, because what it does not take back in time counts as a failure.
import type { Caller } from '../db/call.ts'
import { type HeldRow, releaseTasks, type WorkerKey } from '../db/tasks.ts'
import { retryTransaction } from '../db/transaction.ts'
import { pause } from './connections.ts'

/** Between two calls where one had no answer, or was refused. */
const againMs = 500

export interface ReleasesRoom {
  readonly caller: Caller
  readonly key: WorkerKey
  /** Fires when the worker has left: what is not answered by then is reclaimed. */
  readonly ended: AbortSignal
  readonly failed: (error: unknown) => void
}

export class Releases {
  readonly #room: ReleasesRoom
  #unanswered: HeldRow[] = []
  #sending: Promise<void> | undefined

  constructor(room: ReleasesRoom) {
    this.#room = room
  }

  get isAnswered(): boolean {
    return this.#unanswered.length === 0
  }

  /** When the database has answered for all of them, or the worker has left. */
  answered(): Promise<void> {
    return this.#sending ?? Promise.resolve()
  }

  /** Gives these back, now or with the next call. */
  add(rows: readonly HeldRow[]): void {
    if (rows.length === 0) return
    this.#unanswered.push(...rows)
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  /** What one call has given back, the next one is told to be lost: so it is safe to send them again. */
  async #send(): Promise<void> {
    const { caller, key, ended, failed } = this.#room
    while (!this.isAnswered && !ended.aborted) {
      const rows = [...this.#unanswered]
      try {
        await retryTransaction(() => releaseTasks(caller, key, rows, 'the worker was stopped'))
        this.#unanswered = this.#unanswered.slice(rows.length)
      } catch (error) {
        if (ended.aborted) return
        failed(error)
        await pause(againMs, ended)
      }
    }
  }
}
