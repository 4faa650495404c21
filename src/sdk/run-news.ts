// What a client hears of runs: their ends and new parts of their streams, told by notifications on one connection, which is opened when it is first needed.
import { answerWithin } from '../core/answer-within.ts'
import { BusyMap } from '../core/busy-map.ts'
import { Listener } from '../db/listener.ts'

/** The news that may come next of a run: asked for before a look, so that what comes between the look and the waiting is not missed. */
export interface NextNews {
  /** Resolves when something is heard, and after so many milliseconds at the latest. */
  within(ms: number): Promise<void>
  forget(): void
}

/** For so long a look waits for notifications; where they don't come by then, it looks without, with most of its time to answer left. */
const listenMs = 300

export class RunNews {
  readonly #connectionString: string
  readonly #waiting = new BusyMap<string, Set<() => void>>()
  #listener: Listener | undefined

  constructor(connectionString: string) {
    this.#connectionString = connectionString
  }

  /** Whether notifications arrive at present. */
  get listening(): boolean {
    return this.#listener?.listening === true
  }

  /** Tries to listen, and waits a moment for it; whatever comes of it, it goes on trying in the background. */
  async start(): Promise<void> {
    this.#listener ??= new Listener({
      connectionString: this.#connectionString,
      channels: ['millrace_end', 'millrace_part'],
      onNotify: (_, runId) => this.#wake(runId),
      onListening: () => this.#wakeAll(),
    })
    // A promise and a timer for each look, once it listens, would be for nothing.
    if (!this.#listener.listening) await answerWithin(listenMs, this.#listener.start(), undefined)
  }

  next(runId: string): NextNews {
    const wakers = this.#waiting.get(runId) ?? new Set()
    let forget = () => {}
    const heard = new Promise<void>((resolve) => {
      forget = () => {
        wakers.delete(forget)
        if (wakers.size === 0 && this.#waiting.get(runId) === wakers) this.#waiting.delete(runId)
        resolve()
      }
    })
    this.#waiting.set(runId, wakers.add(forget))
    const within = async (ms: number) => {
      const timer = setTimeout(forget, ms)
      await heard
      clearTimeout(timer)
    }
    return { within, forget }
  }

  async close(): Promise<void> {
    this.#wakeAll()
    await this.#listener?.close()
  }

  #wakeAll(): void {
    for (const [runId] of [...this.#waiting.entries()]) this.#wake(runId)
  }

  #wake(runId: string): void {
    for (const wake of [...(this.#waiting.get(runId) ?? [])]) wake()
  }
}
