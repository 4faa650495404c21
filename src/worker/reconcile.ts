// Asks what the worker holds after answers were lost: soon, and again later, since what was under way may take effect only then.
import { pause } from './connections.ts'

/** The last look comes when the server has ended whatever statement was still under way. */
const looksMs = [50, 1_000, 10_000, 65_000]
const restMs = 1_000

export class Reconcile {
  readonly #look: () => Promise<void>
  readonly #ended: AbortSignal
  #wanted = 0
  #running = false
  #next = new AbortController()

  /** @param look asks and begins what it finds; where it fails, it is called again */
  constructor(look: () => Promise<void>, ended: AbortSignal) {
    this.#look = look
    this.#ended = ended
    // Not AbortSignal.any for each look: a signal that lives on keeps something of every one that was ever made of it.
    ended.addEventListener('abort', () => this.#next.abort(), { once: true })
  }

  /** An answer was lost, now. */
  want(): void {
    if (this.#ended.aborted) return
    this.#wanted++
    if (!this.#running) void this.#run()
    else if (!this.#next.signal.aborted) this.#next.abort()
  }

  async #run(): Promise<void> {
    this.#running = true
    let seen = 0
    for (let look = 0; (look < looksMs.length || seen !== this.#wanted) && !this.#ended.aborted; ) {
      if (seen !== this.#wanted) {
        look = 0
        seen = this.#wanted
      }
      this.#next = new AbortController()
      await pause(looksMs[look]!, this.#next.signal)
      if (this.#ended.aborted) break
      const found = await this.#look().then(
        () => true,
        () => false,
      )
      // Whoever loses answer after answer is not helped by looking faster.
      if (!found || seen !== this.#wanted) await pause(restMs, this.#ended)
      if (found) look++
    }
    this.#running = false
  }
}
