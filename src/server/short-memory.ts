// Owns answers that are remembered for a moment: many requests that want the same one ask once.

interface Remembered<T> {
  readonly atMs: number
  readonly answer: Promise<T>
}

export class ShortMemory<T> {
  readonly #entries = new Map<string, Remembered<T>>()
  readonly #ms: number
  readonly #entriesMax: number
  readonly #nowMs: () => number

  /** @param parts nowMs: a clock that never steps back; that of the process unless told */
  constructor({
    ms,
    entriesMax,
    nowMs = () => performance.now(),
  }: {
    readonly ms: number
    readonly entriesMax: number
    readonly nowMs?: () => number
  }) {
    this.#ms = ms
    this.#entriesMax = entriesMax
    this.#nowMs = nowMs
  }

  /** What `ask` answered within the last moment, counted from when it was asked. That nothing was found, or that it failed, is not remembered. */
  async get(name: string, ask: () => Promise<T>): Promise<T> {
    const atMs = this.#nowMs()
    const known = this.#entries.get(name)
    if (known !== undefined && atMs - known.atMs < this.#ms) return known.answer
    const answer = ask()
    if (this.#entries.size >= this.#entriesMax) this.#entries.clear()
    this.#entries.set(name, { atMs, answer })
    try {
      const found = await answer
      if (found === undefined) this.#forget(name, answer)
      return found
    } catch (error) {
      this.#forget(name, answer)
      throw error
    }
  }

  #forget(name: string, answer: Promise<T>): void {
    if (this.#entries.get(name)?.answer === answer) this.#entries.delete(name)
  }
}
