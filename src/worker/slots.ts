// The slots of a worker: which tasks it holds, what is set aside for answers under way and for lost ones, and what is free.
import { BusyMap } from '../core/busy-map.ts'
import type { HeldTask } from './held-task.ts'

export class Slots {
  readonly size: number
  readonly #held = new BusyMap<number, HeldTask>()
  /** By what is held: the tasks of a batch take one together. */
  #taken = 0
  #reserved = 0
  #doubted = 0
  #emptied: Array<() => void> = []

  constructor(size: number) {
    this.size = size
  }

  get free(): number {
    return Math.max(0, this.size - this.#taken - this.#reserved - this.#doubted)
  }

  /** Whether there is no slot for another task, whatever is set aside. */
  get isFull(): boolean {
    return this.#taken >= this.size
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

  /** How many tasks lost answers may have brought. */
  get doubted(): number {
    return this.#doubted
  }

  /** An answer was lost that may have brought so many tasks: their slots stay set aside until the worker has asked what it holds. */
  doubt(tasks: number): void {
    this.#doubted += tasks
  }

  /** The worker has asked since. */
  trust(doubted: number): void {
    this.#doubted -= doubted
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
    const before = this.#held.get(task.taskId)
    if (before !== undefined) this.#leave(before)
    this.#held.set(task.taskId, task)
    if (task.batch === undefined || task.batch.held++ === 0) this.#taken++
    task.run.tasks++
  }

  /** Frees the slot of a task, unless another attempt has taken its place. */
  release(task: HeldTask): void {
    task.run.tasks--
    if (this.#held.get(task.taskId) === task) {
      this.#held.delete(task.taskId)
      this.#leave(task)
    }
    if (this.#emptied.length > 0) queueMicrotask(() => this.#tellEmpty())
  }

  #leave({ batch }: HeldTask): void {
    if (batch === undefined || --batch.held === 0) this.#taken--
  }

  #tellEmpty(): void {
    if (this.isEmpty) for (const resolve of this.#emptied.splice(0)) resolve()
  }
}
