// Owns the run keys that were paused after failures in a row, as clients list them.
import type { Caller } from '../db/call.ts'
import { listPausedKeys } from '../db/failure-streaks.ts'

export interface KeyOptions {
  /** Whose key it is; the one without a tenant unless told. */
  readonly tenant?: string
}

/** A run key whose starts are refused until somebody resumes it. */
export interface PausedKey {
  readonly pipeline: string
  readonly tenant: string | null
  readonly key: string
  /** How many of its runs failed in a row. */
  readonly failures: number
  readonly pausedAt: Date
  /** The run that failed last. */
  readonly lastRun: string
}

export async function pausedKeys(caller: Caller, slug?: string): Promise<PausedKey[]> {
  const rows = await listPausedKeys(caller, slug ?? null)
  return rows.map(({ slug: pipeline, tenant, key, failures, paused_at, run_id }) => ({
    pipeline,
    tenant,
    key,
    failures,
    pausedAt: paused_at,
    lastRun: run_id,
  }))
}
