// Ids that are worth remembering for a while: when there are too many, the oldest are forgotten.

const idsKept = 10_000

export class RecentIds {
  readonly #ids = new Set<string>()

  add(id: string): void {
    this.#ids.add(id)
    if (this.#ids.size <= idsKept) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      break
    }
  }

  has(id: string): boolean {
    return this.#ids.size > 0 && this.#ids.has(id)
  }

  /** True where it was remembered. */
  delete(id: string): boolean {
    return this.#ids.size > 0 && this.#ids.delete(id)
  }
}
