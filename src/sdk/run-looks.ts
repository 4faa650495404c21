// Looks at awaited runs: who waits for many runs of other processes asks for all of them together.
import { isFinal } from '../core/state.ts'
import type { Caller } from '../db/call.ts'
import { isAway } from '../db/database-error.ts'
import { type RunStanding, watchRun, watchRuns } from '../db/runs.ts'

/** Each brings an output, which may be large. */
const looksPerCall = 100
/** So often a run is asked for together with others while somebody holds it; then by itself, which waits for whoever does. */
const triesMax = 3
/** For so long an end is told; whoever waits longer looks again before that. */
const watchSeconds = 600

interface Look {
  readonly id: string
  readonly values: boolean
  tries: number
  readonly resolve: (standing: RunStanding | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Natural batching: whatever is asked while the previous call is under way goes with the next one. No call that others are in waits for a
 * lock, so that a run which somebody's open transaction holds delays no other's result.
 */
export class RunLooks {
  readonly #caller: Caller
  readonly #watcher: string
  #waiting: Look[] = []
  #busy = false

  /** @param watcher who is notified of the ends */
  constructor(caller: Caller, watcher: string) {
    this.#caller = caller
    this.#watcher = watcher
  }

  /**
   * Registers the interest in a run's end and answers how it stands; undefined for an unknown run.
   *
   * @param values false: its output and its error, which may be large, are not needed
   */
  look(id: string, values: boolean): Promise<RunStanding | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, values, tries: 0, resolve, reject })
      if (this.#busy) return
      this.#busy = true
      setImmediate(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#ask(this.#waiting.splice(0, looksPerCall))
    this.#busy = false
  }

  async #ask(looks: readonly Look[]): Promise<void> {
    try {
      const rows = await watchRuns(this.#caller, looks, this.#watcher, watchSeconds)
      const standings = new Map(rows.map((row) => [row.id, row]))
      for (const look of looks) {
        const standing = standings.get(look.id)
        if (standing === undefined || standing.registered || isFinal(standing.state)) look.resolve(standing)
        else if (++look.tries < triesMax) this.#waiting.push(look)
        else this.#askAlone(look)
      }
    } catch (error) {
      // What one of them is refused for is no other's business.
      const isShared = isAway(error) || looks.length === 1
      for (const look of looks)
        if (isShared) look.reject(error)
        else this.#askAlone(look)
    }
  }

  #askAlone({ id, values, resolve, reject }: Look): void {
    watchRun(this.#caller, id, this.#watcher, { seconds: watchSeconds, values }).then(resolve, reject)
  }
}
