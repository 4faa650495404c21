// Owns what a start that names a pipeline, and brings no definition, knows of the active version: how it is encrypted, and its run key; remembered for a moment.
import type { Caller } from '../db/call.ts'
import { type ActiveVersionRow, readActiveVersion } from '../db/pipelines.ts'

const rememberedMs = 1_000
const rememberedMax = 1_000

export class ActiveVersions {
  readonly #known = new Map<
    string,
    { readonly atMs: number; readonly found: Promise<ActiveVersionRow | undefined> }
  >()

  /**
   * Undefined where it is unknown. A version that was activated within the last second may be missed: then the start gets the
   * one before, or, where that wasn't encrypted, the database refuses it.
   */
  of(caller: Caller, slug: string): Promise<ActiveVersionRow | undefined> {
    const known = this.#known.get(slug)
    const atMs = performance.now()
    if (known !== undefined && atMs - known.atMs < rememberedMs) return known.found
    if (this.#known.size >= rememberedMax) this.#known.clear()
    const found = readActiveVersion(caller, slug)
    this.#known.set(slug, { atMs, found })
    const forget = () => this.#known.get(slug)?.found === found && this.#known.delete(slug)
    // A split may end with a version that is encrypted otherwise, and its starts name none.
    found.then((row) => row !== undefined && row.encrypt !== null && row.version === null && forget(), forget)
    return found
  }
}
