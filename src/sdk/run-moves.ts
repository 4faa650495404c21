// Owns the moving of live runs to another version: which of them, how many, and what became of each.
import { checkJson } from '../core/json.ts'
import type { Caller } from '../db/call.ts'
import { migrateRuns } from '../db/run-moves.ts'

export interface MigrateRunsOptions {
  /** The version that they have. */
  readonly from: number
  /** The version that they get; the active one where left out. */
  readonly to?: number
  readonly filter?: {
    /** Only runs whose input contains this, as PostgreSQL's @> says. */
    readonly input?: unknown
    readonly runs?: readonly string[]
    readonly tenant?: string
  }
  /** The most runs to look at; 1,000 where left out. */
  readonly limit?: number
  /** Only say what would move. */
  readonly dryRun?: boolean
}

export interface MigratedRuns {
  /** The ids of those that have the other version now, or would have. */
  readonly moved: readonly string[]
  /** Those that stay, each with the reason. */
  readonly left: ReadonlyArray<{ readonly run: string; readonly reason: string }>
  /** Whether the limit was reached before the last of them. */
  readonly more: boolean
}

const runsPerCall = 100

/** Moves runs in transactions of a hundred: what was moved before a failure stays moved. */
export async function moveRuns(
  caller: Caller,
  slug: string,
  { from, to, filter = {}, limit = 1_000, dryRun = false }: MigrateRunsOptions,
): Promise<MigratedRuns> {
  const moved: string[] = []
  const left: { run: string; reason: string }[] = []
  const matching = filter.input === undefined ? null : checkJson(filter.input, { what: 'the filter' })
  let after: string | null = null
  for (let looked = 0; ; ) {
    // One more than the limit, to know whether there are any: the last look moves nothing.
    const most = Math.min(runsPerCall, limit - looked)
    const rows = await migrateRuns(caller, {
      slug,
      from,
      to: to ?? null,
      matching,
      runIds: filter.runs ?? null,
      tenant: filter.tenant ?? null,
      most: Math.max(1, most),
      after,
      dry: dryRun || most < 1,
    })
    if (most < 1) return { moved, left, more: rows.length > 0 }
    for (const { run_id: run, moved: isMoved, reason } of rows) {
      if (isMoved) moved.push(run)
      else left.push({ run, reason: reason ?? '' })
    }
    looked += rows.length
    after = rows.at(-1)?.run_id ?? after
    if (rows.length < most) return { moved, left, more: false }
  }
}
