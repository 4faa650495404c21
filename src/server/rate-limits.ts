// Owns how many requests may come from an address or with a key, counted in the database, so that several servers agree. Where it is away each server
// counts for itself.
import type pg from 'pg'
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible'
import { MillraceError } from '../core/errors.ts'
import { networkOf } from '../core/ip-ranges.ts'
import type { Guard, Guarded } from './guard.ts'

export interface RateLimits {
  /** Requests a minute from one address by whoever shows no key; 100 by default. */
  readonly addressPerMinute: number
  /** Requests an hour with a key that has no limit of its own; 1,000 by default. */
  readonly keyPerHour: number
}

const defaults: RateLimits = { addressPerMinute: 100, keyPerHour: 1_000 }
/** What is over its limit is remembered as such, so that a flood costs no statements. */
const refusedMs = 1_000
const refusedMax = 10_000
/** Of a large limit a server takes a thousandth at a time, at most so many requests: a busy key then waits for no count. */
const aheadShare = 1_000
const aheadMax = 1_000
/** Limits differ by key, so the library only counts. */
const noLimit = 2_000_000_000

export interface RateLimiterParts {
  readonly pool: pg.Pool
  /** false: nothing is counted. */
  readonly limits: Partial<RateLimits> | false | undefined
}

/** Refuses with too_many_requests whoever is over their limit. */
export function rateLimitGuard({ pool, limits }: RateLimiterParts): Guard {
  if (limits === false) return (_, next) => next()
  const { addressPerMinute, keyPerHour } = { ...defaults, ...limits }
  // Without the name by which it would be prepared: a transaction pooler couldn't.
  const storeClient = { query: ({ text, values }: pg.QueryConfig) => pool.query(text, values) }
  const minutes = new RequestCounts(storeClient, { prefix: 'address', seconds: 60 })
  const hours = new RequestCounts(storeClient, { prefix: 'key', seconds: 3_600 })
  return async (guarded, next) => {
    const { signedIn } = guarded
    if (!isFree(guarded) || isWrong(guarded)) {
      const counted = countedFor(guarded)
      if (counted !== undefined)
        await (signedIn?.actor.kind === 'key'
          ? hours.take(counted, signedIn.key?.requestsPerHour ?? keyPerHour)
          : minutes.take(counted, addressPerMinute))
    }
    return next()
  }
}

/** A stream stays open, and there are bounds on how many may. Of its head nothing stays, so that no other bound would hold. */
function isFree({ operation, request }: Guarded): boolean {
  if (operation.media === 'text/event-stream') return request.method !== 'HEAD'
  return operation.uncounted === true
}

/**
 * Whose count a request belongs to. Where the surroundings tell no address, only wrong credentials are counted, all together: everybody else would
 * be stopped with them.
 */
function countedFor({ signedIn, request, origin }: Guarded): string | undefined {
  const kind = signedIn?.actor.kind
  if (kind === 'key') return signedIn!.actor.id
  if (kind === 'developer' || kind === 'local') return undefined
  if (origin.address !== undefined) return networkOf(origin.address)
  return isWrong({ signedIn, request }) ? 'unknown' : undefined
}

/** Whether a credential is shown that nobody takes. */
function isWrong({ signedIn, request }: Pick<Guarded, 'signedIn' | 'request'>): boolean {
  return signedIn === undefined && request.headers.has('authorization')
}

interface Asking {
  readonly limit: number
  readonly pass: () => void
  readonly refuse: (error: unknown) => void
}

/** The counts of one window. What comes while a count is under way is counted with the next, in one statement: a busy key costs no more than an idle one. */
class RequestCounts {
  readonly #limiter: RateLimiterPostgres
  readonly #seconds: number
  readonly #lines = new Map<string, Asking[]>()
  readonly #ahead = new Map<string, { left: number; readonly untilMs: number }>()
  readonly #refused = new Map<string, { readonly untilMs: number; readonly retryAtMs: number }>()

  constructor(
    storeClient: unknown,
    { prefix, seconds }: { readonly prefix: string; readonly seconds: number },
  ) {
    this.#seconds = seconds
    const window = { keyPrefix: prefix, points: noLimit, duration: seconds }
    this.#limiter = new RateLimiterPostgres({
      ...window,
      storeClient,
      storeType: 'client',
      schemaName: 'millrace',
      tableName: 'request_count',
      tableCreated: true,
      clearExpiredByTimeout: false,
      insuranceLimiter: new RateLimiterMemory(window),
    })
  }

  /** @throws MillraceError too_many_requests */
  take(name: string, limit: number): Promise<void> {
    const nowMs = performance.now()
    const refused = this.#refused.get(name)
    if (refused !== undefined && nowMs < refused.untilMs)
      return Promise.reject(tooMany(limit, this.#seconds, refused.retryAtMs - nowMs))
    if (this.#leftOf(name) > 0) {
      this.#ahead.get(name)!.left--
      return Promise.resolve()
    }
    return new Promise((pass, refuse) => {
      const asking = { limit, pass, refuse }
      const line = this.#lines.get(name)
      if (line !== undefined) {
        line.push(asking)
        return
      }
      this.#lines.set(name, [])
      void this.#count(name, [asking])
    })
  }

  async #count(name: string, all: readonly Asking[]): Promise<void> {
    try {
      const share = Math.min(aheadMax, Math.floor((all[0]!.limit - 1) / aheadShare))
      const points = all.length + Math.max(0, share - this.#leftOf(name))
      const { consumedPoints, msBeforeNext } = await this.#limiter.consume(name, points)
      const before = consumedPoints - points
      for (const [index, { limit, pass, refuse }] of all.entries()) {
        if (before + index < limit) pass()
        else refuse(this.#refusal(name, limit, msBeforeNext))
      }
      this.#keepAhead(name, Math.min(points, all[0]!.limit - before) - all.length, msBeforeNext)
    } catch (error) {
      for (const { refuse } of all) refuse(error)
    }
    const next = this.#lines.get(name) ?? []
    if (next.length === 0) {
      this.#lines.delete(name)
      return
    }
    this.#lines.set(name, [])
    void this.#count(name, next)
  }

  /** What was counted already and is still to be asked for in this window. */
  #keepAhead(name: string, left: number, msBeforeNext: number): void {
    if (left <= 0) return
    if (this.#ahead.size >= refusedMax) this.#ahead.clear()
    this.#ahead.set(name, { left: left + this.#leftOf(name), untilMs: performance.now() + msBeforeNext })
  }

  #leftOf(name: string): number {
    const ahead = this.#ahead.get(name)
    return ahead === undefined || performance.now() >= ahead.untilMs ? 0 : ahead.left
  }

  #refusal(name: string, limit: number, msBeforeNext: number): MillraceError {
    const nowMs = performance.now()
    if (this.#refused.size >= refusedMax) this.#refused.clear()
    this.#refused.set(name, {
      untilMs: nowMs + Math.min(refusedMs, msBeforeNext),
      retryAtMs: nowMs + msBeforeNext,
    })
    return tooMany(limit, this.#seconds, msBeforeNext)
  }
}

function tooMany(limit: number, seconds: number, msBeforeNext: number): MillraceError {
  const retryAfter = Math.max(1, Math.ceil(msBeforeNext / 1_000))
  return new MillraceError(
    'too_many_requests',
    `More than ${limit} requests came in ${seconds === 60 ? 'a minute' : 'an hour'}. The next one is taken in ${retryAfter} s.`,
    { fields: { limit, window_seconds: seconds, retry_after_seconds: retryAfter } },
  )
}
