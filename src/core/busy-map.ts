// A map of what comes and goes by the thousand, such as the tasks in hand.

interface Cell<Value> {
  value: Value
}

/**
 * A map whose values are garbage as soon as they are taken out.
 *
 * When entries of a Map come and go, V8 moves them to a new table now and then, and links the old table to the new one, for iterators that may still stand
 * in it. Once one such table lies among the old objects, every later one is reachable from there, with all that stood in it when it was left, until the
 * next full collection: a busy worker then copies what is dead from one space to the next. So a table knows cells here, and a cell lets go of its value;
 * only keys and empty cells stay behind.
 */
export class BusyMap<Key, Value> {
  readonly #cells = new Map<Key, Cell<Value | undefined>>()

  get size(): number {
    return this.#cells.size
  }

  has(key: Key): boolean {
    return this.#cells.has(key)
  }

  get(key: Key): Value | undefined {
    return this.#cells.get(key)?.value
  }

  set(key: Key, value: Value): void {
    const cell = this.#cells.get(key)
    if (cell === undefined) this.#cells.set(key, { value })
    else cell.value = value
  }

  /** True where it was there. */
  delete(key: Key): boolean {
    const cell = this.#cells.get(key)
    if (cell === undefined) return false
    cell.value = undefined
    return this.#cells.delete(key)
  }

  /** In the order in which their keys came; entries may be taken out meanwhile. */
  *entries(): IterableIterator<[Key, Value]> {
    for (const [key, { value }] of this.#cells) yield [key, value as Value]
  }

  *values(): IterableIterator<Value> {
    for (const { value } of this.#cells.values()) yield value as Value
  }
}
