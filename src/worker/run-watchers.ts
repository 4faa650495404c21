// Who in this process waits for the end of a run in hand: whoever does is told without a question to the database.
import { BusyMap } from '../core/busy-map.ts'
import type { LocalEnd } from '../sdk/local-worker.ts'
import { RecentIds } from './recent-ids.ts'

type Watcher = (end: LocalEnd) => void

export class RunWatchers {
  readonly #watchers = new BusyMap<string, Set<Watcher>>()
  /** Runs that parked steps of this worker have called one by one: their ends are heard here at once. */
  readonly #called = new RecentIds()

  get isEmpty(): boolean {
    return this.#watchers.size === 0
  }

  /** Calls back once, when the run ends or leaves; answers with how to leave off. */
  watch(runId: string, ended: Watcher): () => void {
    const watchers = this.#watchers.get(runId) ?? new Set()
    this.#watchers.set(runId, watchers.add(ended))
    return () => {
      watchers.delete(ended)
      if (watchers.size === 0 && this.#watchers.get(runId) === watchers) this.#watchers.delete(runId)
    }
  }

  /** A step parked here has called this run, and may wait for it. */
  called(runId: string): void {
    this.#called.add(runId)
  }

  isCalled(runId: string): boolean {
    return this.#called.has(runId)
  }

  isWatched(runId: string): boolean {
    return this.#watchers.has(runId) || this.isCalled(runId)
  }

  /** A called run has ended; true where it was one. */
  forgetCalled(runId: string): boolean {
    return this.#called.delete(runId)
  }

  /** Null where the end is to be asked for in the database. */
  tell(runId: string, end: LocalEnd): void {
    const watchers = this.#watchers.get(runId)
    if (watchers === undefined) return
    this.#watchers.delete(runId)
    for (const watcher of watchers) watcher(end)
  }
}
