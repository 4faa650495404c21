// What handlers say besides their outcome, gathered turn by turn: one batch is written after the other, and no timer holds any back.
import { retryTransaction } from '../db/transaction.ts'
import { isBlocked, isPassing } from './flush.ts'
import { setTimeout as pause } from 'node:timers/promises'

/** Between two calls to a database that is away. */
const awayMs = 200

export class TurnBatches<Entry> {
  readonly #write: (entries: Entry[]) => Promise<void>
  #entries: Entry[] = []
  #writing: Promise<void> = Promise.resolve()

  /** @param write never rejects */
  constructor(write: (entries: Entry[]) => Promise<void>) {
    this.#write = write
  }

  /** How many wait to be written. */
  get size(): number {
    return this.#entries.length
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
    if (this.#entries.length === 1) this.#writing = this.#writing.then(() => this.#next())
  }

  /** When all so far is written. */
  written(): Promise<void> {
    return this.#writing
  }

  async #next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    const entries = this.#entries
    this.#entries = []
    await this.#write(entries)
  }
}

/**
 * Repeats a call until the database has answered it: one that is away, or where somebody holds a lock, is waited for as the outcomes are that
 * follow. Where an answer was lost, the call is so made twice.
 */
export async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await retryTransaction(call)
    } catch (error) {
      if (!isPassing(error) && !isBlocked(error)) throw error
      await pause(awayMs)
    }
  }
}
