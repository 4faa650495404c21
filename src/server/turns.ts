// Owns how many of something go on at once: the next ones wait their turn, and not without end.
import { MillraceError } from '../core/errors.ts'

const waitingMax = 1_000

export class Turns {
  readonly #atOnceMax: number
  #underWay = 0
  readonly #waiting: Array<() => void> = []

  constructor(atOnceMax: number) {
    this.#atOnceMax = Math.max(1, Math.floor(atOnceMax))
  }

  /** @throws MillraceError server_unavailable where too many wait already */
  async take<T>(work: () => Promise<T>): Promise<T> {
    await this.#begin()
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#underWay--
      else next()
    }
  }

  async #begin(): Promise<void> {
    if (this.#underWay < this.#atOnceMax) {
      this.#underWay++
      return
    }
    if (this.#waiting.length >= waitingMax)
      throw new MillraceError('server_unavailable', 'Too many requests are under way.', {
        fields: { retry_after_seconds: 1 },
      })
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
