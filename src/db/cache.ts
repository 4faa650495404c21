// The SQL functions of the cache: values that steps compute once for all runs that ask, each under the claim of one attempt.
import type { Caller } from './call.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'
import { retryTransaction } from './transaction.ts'

/** What an attempt asks for. */
export interface LookUpRow extends HeldRow {
  readonly scope: string
  readonly key: string
  /** The claim that it was told of last, under which somebody else computes the value. */
  readonly waits: number | null
  /** Whether the answer goes into the run's history. */
  readonly told: boolean
}

export interface LookUpAnswer {
  /** Of the row asked for, from 1. */
  readonly place: number
  /** `own` where the attempt has the claim since it asked before. */
  readonly kind: 'hit' | 'computing' | 'own' | 'busy' | 'lost' | 'encrypted'
  readonly value: unknown
  readonly claim_id: number | null
}

/** Looks up values; where there is none, the answer is a claim to compute it, or that of somebody else. */
export function lookUpCache(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly LookUpRow[],
): Promise<LookUpAnswer[]> {
  return caller.call<LookUpAnswer>(
    {
      name: 'millrace_look_up_cache',
      text: `select place, kind, value, claim_id
          from millrace.look_up_cache($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::text[], $8::bigint[], $9::boolean[])`,
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.taskId),
      rows.map((row) => row.stepId),
      rows.map((row) => row.attempt),
      rows.map((row) => row.scope),
      rows.map((row) => row.key),
      rows.map((row) => row.waits),
      rows.map((row) => row.told),
    ],
  )
}

/** A value for the cache; value is JSON text. */
export interface StoredRow {
  readonly claimId: number
  readonly value: string
  readonly lifetimeMs: number
}

/** Stores values under their claims; what was invalidated or lost meanwhile is not stored. */
export async function storeCache(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly StoredRow[],
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_store_cache',
      text: 'select millrace.store_cache($1, $2, $3::bigint[], $4::jsonb[], $5::float8[])',
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.claimId),
      rows.map((row) => row.value),
      rows.map((row) => row.lifetimeMs),
    ],
  )
}

/** Gives up claims: who waits takes over. */
export async function dropCacheClaims(
  caller: Caller,
  worker: WorkerKey,
  claimIds: readonly number[],
): Promise<void> {
  await caller.call(
    { name: 'millrace_drop_cache_claims', text: 'select millrace.drop_cache_claims($1, $2::bigint[])' },
    [worker.workerId, claimIds],
  )
}

/** Which values: all that is given must fit. */
export interface CacheFilter {
  readonly scope?: string | undefined
  readonly key?: string | undefined
  readonly prefix?: string | undefined
  readonly tenant?: string | undefined
}

/** Removes values; answers how many. @throws MillraceError argument_invalid where nothing says which */
export async function invalidateCache(caller: Caller, filter: CacheFilter): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ removed: number }>(
      {
        name: 'millrace_invalidate_cache',
        text: 'select millrace.invalidate_cache($1, $2, $3, $4) as removed',
      },
      [filter.scope ?? null, filter.key ?? null, filter.prefix ?? null, filter.tenant ?? null],
    ),
  )
  return rows[0]!.removed
}

export interface CacheEntryRow {
  readonly scope: string
  readonly key: string
  readonly tenant: string | null
  readonly size: number
  readonly run_id: string
  readonly step: string
  readonly computed_at: Date
  readonly expires_at: Date
}

/** What lies in the cache, the newest first. */
export function listCache(
  caller: Caller,
  filter: CacheFilter & { readonly limit: number; readonly pipelines?: readonly string[] | undefined },
): Promise<CacheEntryRow[]> {
  return caller.call<CacheEntryRow>(
    {
      name: 'millrace_list_cache',
      text: `select e.scope, e.key, e.tenant, e.size, e.run_id, e.step, e.computed_at, e.expires_at from millrace.cache_entry e
        where ($1::text is null or e.scope = $1) and ($2::text is null or e.key = $2) and ($3::text is null or starts_with(e.key, $3))
          and ($4::text is null or e.tenant = $4)
          and ($6::text[] is null or exists (select from millrace.run r where r.id = e.run_id and r.slug = any ($6)))
        order by e.computed_at desc, e.id desc limit $5`,
    },
    [
      filter.scope ?? null,
      filter.key ?? null,
      filter.prefix ?? null,
      filter.tenant ?? null,
      filter.limit,
      filter.pipelines ?? null,
    ],
  )
}

/** Removes a batch of what has expired or is too much; answers whether there may be more. */
export async function pruneCache(caller: Caller, batch: number): Promise<boolean> {
  const rows = await caller.call<{ more: boolean }>(
    { name: 'millrace_prune_cache', text: 'select millrace.prune_cache($1) as more' },
    [batch],
  )
  return rows[0]!.more
}
