// Owns the cache as authors and applications see it: the option of a step, the function of a handler, and what a client does with it.
import { cacheKeyText, checkCacheScope } from '../core/cache-key.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { keyPaths } from '../core/key-path.ts'
import { type CacheEntryRow, type CacheFilter, invalidateCache, listCache } from '../db/cache.ts'
import type { Caller } from '../db/call.ts'
import type { Jsonify } from './jsonify.ts'

/** How a step keeps its output for others: where the value of its key is there, it is the output, and the handler doesn't run. */
export interface StepCache<Context> {
  /** A path into the input, a list of paths, or a function that gives a text, a number or plain data. */
  readonly key: string | readonly string[] | ((context: Context) => unknown)
  /** How long a value may be used. */
  readonly ttl: Duration
  /** A name under which several steps and pipelines share values; those of this step alone unless told. */
  readonly scope?: string
}

export interface CacheOptions {
  /** How long the value may be used. */
  readonly ttl: Duration
  /** A name under which several pipelines share values; those of this pipeline unless told. */
  readonly scope?: string
}

/**
 * Gives the value of a key, computed by the function where nobody has it: one attempt of all workers does, the others wait. What it throws is
 * not kept. Runs of another tenant never see it.
 * @throws MillraceError cache_key_invalid, cache_key_nested, not_encryptable, json_invalid, json_too_large, duration_invalid
 */
export type Cache = <Out>(
  key: unknown,
  options: CacheOptions,
  work: () => Out,
) => Promise<Jsonify<Awaited<Out>>>

/** The option as it is read. */
export interface ReadCache {
  readonly keyOf: (context: { readonly input: unknown }) => unknown
  readonly lifetimeMs: number
  readonly scope: string | undefined
}

/** @throws MillraceError key_not_a_path, duration_invalid, cache_key_invalid, step_option_invalid */
export function readStepCache(place: string, cache: StepCache<never>): ReadCache {
  const [pipeline = '', step = ''] = place.split('/')
  const known = ['key', 'ttl', 'scope']
  const stray = Object.keys(cache).find((name) => !known.includes(name))
  if (stray !== undefined || cache.key === undefined || cache.ttl === undefined) {
    throw new MillraceError(
      'step_option_invalid',
      `The \`cache\` of step '${step}' of pipeline '${pipeline}' ${stray === undefined ? 'lacks its key or its ttl' : `has '${stray}'`}: it takes key, ttl and scope.`,
      { fields: { pipeline, step, option: 'cache' } },
    )
  }
  return {
    keyOf: keyReader(pipeline, cache.key),
    lifetimeMs: lifetimeOf(cache.ttl, `The ttl of the cache of step '${step}' of pipeline '${pipeline}'`),
    scope: cache.scope === undefined ? undefined : checkCacheScope(cache.scope),
  }
}

function keyReader(pipeline: string, key: StepCache<never>['key']): ReadCache['keyOf'] {
  // The worker gives it the context that the types promise.
  if (typeof key === 'function') return key as ReadCache['keyOf']
  const paths = keyPaths(pipeline, key)
  return ({ input }) => {
    const values = paths.map((path) => valueAt(input, path))
    return values.some((value) => value === undefined || value === null)
      ? undefined
      : values.length === 1
        ? values[0]
        : values
  }
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  let value = input
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = Reflect.get(value, name)
  }
  return value
}

/** @throws MillraceError duration_invalid */
export function lifetimeOf(ttl: Duration, what: string): number {
  const ms = durationMs(ttl, what)
  if (ms >= 1) return ms
  throw new MillraceError(
    'duration_invalid',
    `${what} is ${ttl}: a value must last for a millisecond at least.`,
  )
}

/** Which values; all that is given must fit. */
export interface CacheChoice {
  /** A scope: a name, a pipeline, or pipeline/step. */
  readonly scope?: string
  /** A key, as it was computed. */
  readonly key?: unknown
  /** All keys whose text begins so. */
  readonly prefix?: string
  readonly tenant?: string
}

export interface CacheEntry {
  readonly scope: string
  readonly key: string
  readonly tenant: string | null
  readonly bytes: number
  /** Who computed it. */
  readonly run: string
  readonly step: string
  readonly computedAt: Date
  readonly expiresAt: Date
}

export class ClientCache {
  readonly #open: () => Promise<Caller>

  constructor(open: () => Promise<Caller>) {
    this.#open = open
  }

  /** Removes values; what is being computed meanwhile is not kept. Answers how many. @throws MillraceError argument_invalid, cache_key_invalid */
  async invalidate(choice: CacheChoice): Promise<number> {
    return invalidateCache(await this.#open(), filterOf(choice))
  }

  /** What lies in it, the newest first; 100 unless told. */
  async list({
    limit = 100,
    ...choice
  }: CacheChoice & { readonly limit?: number } = {}): Promise<CacheEntry[]> {
    const rows = await listCache(await this.#open(), { ...filterOf(choice), limit })
    return rows.map(entryOf)
  }
}

export function filterOf({ scope, key, prefix, tenant }: CacheChoice): CacheFilter {
  return {
    scope: scope === undefined ? undefined : checkCacheScope(scope),
    key: key === undefined ? undefined : cacheKeyText(key, 'The key'),
    prefix,
    tenant,
  }
}

function entryOf({ size, run_id, computed_at, expires_at, ...entry }: CacheEntryRow): CacheEntry {
  return { ...entry, bytes: size, run: run_id, computedAt: computed_at, expiresAt: expires_at }
}
