// Owns when keys were used last: gathered here, and written down now and then for all of them at once.
import type { Caller } from '../db/call.ts'
import { recordKeyUses } from '../db/api-keys.ts'
import { errorFacts, type ServerLog } from './server-log.ts'

const writeEveryMs = 10_000

interface Use {
  readonly atMs: number
  readonly address: string | undefined
}

export class KeyUses {
  readonly #caller: Caller
  readonly #log: ServerLog
  #uses = new Map<string, Use>()
  #timer: NodeJS.Timeout | undefined

  constructor(caller: Caller, log: ServerLog) {
    this.#caller = caller
    this.#log = log
  }

  add(id: string, address: string | undefined): void {
    this.#uses.set(id, { atMs: performance.now(), address })
    this.#timer ??= setTimeout(() => void this.write(), writeEveryMs).unref()
  }

  /** Never rejects: what can't be written now comes with the next use. */
  async write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const uses = this.#uses
    if (uses.size === 0) return
    this.#uses = new Map()
    const atMs = performance.now()
    try {
      await recordKeyUses(
        this.#caller,
        [...uses].map(([id, use]) => ({
          id,
          address: use.address ?? null,
          secondsAgo: (atMs - use.atMs) / 1_000,
        })),
      )
    } catch (error) {
      this.#log({
        level: 'warn',
        event: 'key_uses.unwritten',
        keys: uses.size,
        ...errorFacts(error),
      })
    }
  }
}
