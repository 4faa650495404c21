// Who waits in this worker for something that others end, by its name: woken when that is notified, and after a time in any case.

const firstPauseMs = 20
const pauseMsMax = 500

export class Wakes {
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #random: () => number

  /** @param random spreads the looks of many that wait */
  constructor(random: () => number) {
    this.#random = random
  }

  /** It was notified. */
  heard(name: string): void {
    for (const wake of this.#waiting.get(name) ?? []) wake()
  }

  /** Until it is notified, or it is time for another look: soon at first, twice a second later. Ends early when the signal fires. */
  next(name: string, looks: number, stopped: AbortSignal): Promise<void> {
    if (stopped.aborted) return Promise.resolve()
    const ms = Math.min(firstPauseMs * 2 ** Math.min(looks, 10), pauseMsMax) * (0.5 + this.#random() / 2)
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set()
      const wake = () => {
        clearTimeout(timer)
        stopped.removeEventListener('abort', wake)
        waiting.delete(wake)
        if (waiting.size === 0 && this.#waiting.get(name) === waiting) this.#waiting.delete(name)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      stopped.addEventListener('abort', wake)
      this.#waiting.set(name, waiting.add(wake))
    })
  }
}
