// Owns how a start that names a pipeline, and brings no definition, is encrypted: as the active version says, remembered for a moment.
import type { Caller } from '../db/call.ts'
import { type ActiveEncryptionRow, readActiveEncryption } from '../db/sealed.ts'

const rememberedMs = 1_000
const rememberedMax = 1_000

export class ActiveEncryption {
  readonly #known = new Map<
    string,
    { readonly atMs: number; readonly found: Promise<ActiveEncryptionRow | undefined> }
  >()

  /**
   * Undefined where it isn't encrypted, or unknown. A version that was activated within the last second may be missed: then the start gets the
   * one before, or, where that wasn't encrypted, the database refuses it.
   */
  of(caller: Caller, slug: string): Promise<ActiveEncryptionRow | undefined> {
    const known = this.#known.get(slug)
    const atMs = performance.now()
    if (known !== undefined && atMs - known.atMs < rememberedMs) return known.found
    if (this.#known.size >= rememberedMax) this.#known.clear()
    const found = readActiveEncryption(caller, slug)
    this.#known.set(slug, { atMs, found })
    const forget = () => this.#known.get(slug)?.found === found && this.#known.delete(slug)
    // A split may end with a version that is encrypted otherwise, and its starts name none.
    found.then((row) => row?.version === null && forget(), forget)
    return found
  }
}
