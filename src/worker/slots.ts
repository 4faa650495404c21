// The slots of a worker: which tasks it holds, what is set aside for claims and starts under way, and what is free.
import type { HeldTask } from './held-task.ts'

export class Slots {
  readonly size: number
  readonly #held = new Map<number, HeldTask>()
  #reserved = 0
  #emptied: Array<() => void> = []

  constructor(size: number) {
    this.size = size
  }

  get free(): number {
    return Math.max(0, this.size - this.#held.size - this.#reserved)
  }

  /** Whether an answer under way may bring tasks. */
  get isExpecting(): boolean {
    return this.#reserved > 0
  }

  get heldCount(): number {
    return this.#held.size
  }

  held(): IterableIterator<HeldTask> {
    return this.#held.values()
  }

  get(taskId: number): HeldTask | undefined {
    return this.#held.get(taskId)
  }

  reserve(wanted: number): number {
    const granted = Math.min(wanted, this.free)
    this.#reserved += granted
    return granted
  }

  giveBack(reserved: number): void {
    this.#reserved -= reserved
    // What the answer brought is taken in this same turn.
    if (this.#emptied.length > 0) queueMicrotask(() => this.#tellEmpty())
  }

  /** Whether it holds nothing, and nothing is on its way to it. */
  get isEmpty(): boolean {
    return this.#held.size === 0 && this.#reserved === 0
  }

  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#emptied.push(resolve)
      this.#tellEmpty()
    })
  }

  hold(task: HeldTask): void {
    this.#held.set(task.taskId, task)
    task.run.tasks++
  }

  /** Frees the slot of a task, unless another attempt has taken its place. */
  release(task: HeldTask): void {
    task.run.tasks--
    if (this.#held.get(task.taskId) === task) this.#held.delete(task.taskId)
    if (this.#emptied.length > 0) queueMicrotask(() => this.#tellEmpty())
  }

  #tellEmpty(): void {
    if (this.isEmpty) for (const resolve of this.#emptied.splice(0)) resolve()
  }
}
