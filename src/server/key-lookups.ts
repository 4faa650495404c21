// Owns the look-ups of keys, of programs and of those by which tokens are checked: what is shown while one is under way shares the next. So whoever tries
// them costs the database one statement at a time, however many are tried, and keeps no connection from others.

interface Shown<Asked, Found> {
  readonly asked: Asked
  readonly resolve: (found: Found | undefined) => void
  readonly reject: (error: unknown) => void
}

const keysPerCall = 1_000

export class KeyLookups<Asked, Found> {
  readonly #ask: (all: readonly Asked[]) => Promise<ReadonlyArray<Found | undefined>>
  #waiting: Array<Shown<Asked, Found>> = []
  #busy = false

  /** @param ask one statement for many; it answers in their order */
  constructor(ask: (all: readonly Asked[]) => Promise<ReadonlyArray<Found | undefined>>) {
    this.#ask = ask
  }

  /** Undefined where none is taken now. */
  find(asked: Asked): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ asked, resolve, reject })
      if (!this.#busy) void this.#look()
    })
  }

  async #look(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const all = this.#waiting.splice(0, keysPerCall)
      try {
        const found = await this.#ask(all.map(({ asked }) => asked))
        for (const [place, { resolve }] of all.entries()) resolve(found[place])
      } catch (error) {
        for (const { reject } of all) reject(error)
      }
    }
    this.#busy = false
  }
}
