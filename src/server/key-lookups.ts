// Owns the look-ups of keys: what is shown while one is under way shares the next. So whoever tries keys costs the database one statement at a time, however
// many are tried, and keeps no connection from others.
import { findApiKeys, type FoundApiKey } from '../db/api-keys.ts'
import type { Caller } from '../db/call.ts'

interface Shown {
  readonly prefix: string
  readonly resolve: (found: FoundApiKey | undefined) => void
  readonly reject: (error: unknown) => void
}

const prefixesPerCall = 1_000

export class KeyLookups {
  readonly #reads: Caller
  #waiting: Shown[] = []
  #busy = false

  constructor(reads: Caller) {
    this.#reads = reads
  }

  /** The key of a prefix; undefined where none is taken now. */
  find(prefix: string): Promise<FoundApiKey | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ prefix, resolve, reject })
      if (!this.#busy) void this.#look()
    })
  }

  async #look(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const all = this.#waiting.splice(0, prefixesPerCall)
      try {
        const found = await findApiKeys(
          this.#reads,
          all.map(({ prefix }) => prefix),
        )
        const byPrefix = new Map(found.map((key) => [key.prefix, key]))
        for (const { prefix, resolve } of all) resolve(byPrefix.get(prefix))
      } catch (error) {
        for (const { reject } of all) reject(error)
      }
    }
    this.#busy = false
  }
}
