// Owns the count of what is under way, so that whoever closes can wait for its end.

export class UnderWay {
  #count = 0
  #ended: Array<() => void> = []

  /** Counts a call until it has ended. */
  async during<T>(call: Promise<T>): Promise<T> {
    this.#count++
    try {
      return await call
    } finally {
      if (--this.#count === 0) for (const ended of this.#ended.splice(0)) ended()
    }
  }

  /** Waits until nothing is under way. */
  async ended(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#ended.push(resolve))
  }
}
