// For peers whose clients ask again and again for a result: the end of a run's function is told within the process.

export class Ends {
  readonly #waiting = new Map<number, () => void>()
  #last = 0

  /** Starts a run under a number of its own, and waits until `end` is called with it. */
  async of(start: (run: number) => Promise<unknown>): Promise<void> {
    const run = ++this.#last
    const ended = new Promise<void>((resolve) => this.#waiting.set(run, resolve))
    await start(run)
    await ended
  }

  end(run: number): void {
    this.#waiting.get(run)?.()
    this.#waiting.delete(run)
  }
}
