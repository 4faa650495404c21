// Works off what is due of what starts runs by itself, a kind at a time beside the others: heard of by heartbeats and notifications.

/** What is to be done when something of a kind is due; answers whether there is more to do at once. */
export type TriggerTask = () => Promise<boolean>

export interface TriggerWorkEvents {
  readonly failed: (error: unknown) => void
  readonly goesOn: () => boolean
}

export class TriggerWork {
  readonly #tasks: ReadonlyMap<string, TriggerTask>
  readonly #events: TriggerWorkEvents
  readonly #underWay = new Map<string, { again: boolean }>()
  #done = 0

  constructor(tasks: ReadonlyMap<string, TriggerTask>, events: TriggerWorkEvents) {
    this.#tasks = tasks
    this.#events = events
  }

  /** Something of this kind is due; while it is being worked off, it is looked at once more afterwards. A kind that is not known is another version's. */
  due(kind: string): void {
    const task = this.#tasks.get(kind)
    if (task === undefined || !this.#events.goesOn()) return
    const before = this.#underWay.get(kind)
    if (before !== undefined) {
      before.again = true
      return
    }
    const state = { again: false }
    this.#underWay.set(kind, state)
    void this.#work(task, state)
      .catch((error: unknown) => this.#events.failed(error))
      .finally(() => this.#underWay.delete(kind))
  }

  /** How often it has worked something off. */
  get done(): number {
    return this.#done
  }

  /** The kinds that it is at. */
  get underWay(): readonly string[] {
    return [...this.#underWay.keys()]
  }

  async #work(task: TriggerTask, state: { again: boolean }): Promise<void> {
    let more = true
    while (more && this.#events.goesOn()) {
      state.again = false
      more = (await task()) || state.again
      this.#done++
    }
  }
}
