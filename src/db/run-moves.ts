// The SQL function that moves live runs to another version.
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

export interface RunMove {
  readonly slug: string
  readonly from: number
  /** null takes the active version. */
  readonly to: number | null
  /** JSON text that the input must contain. */
  readonly matching: string | null
  readonly runIds: readonly string[] | null
  readonly tenant: string | null
  /** How many runs to look at, 1,000 at most. */
  readonly most: number
  /** Only ids beyond this one. */
  readonly after: string | null
  /** Only say what would move. */
  readonly dry: boolean
}

export interface MovedRow {
  readonly run_id: string
  readonly moved: boolean
  /** Why it stays. */
  readonly reason: string | null
}

/** Moves runs, the oldest first; answers for each. @throws MillraceError pipeline_unknown, argument_invalid */
export function migrateRuns(caller: Caller, move: RunMove): Promise<MovedRow[]> {
  const values = [
    move.slug,
    move.from,
    move.to,
    move.matching,
    move.runIds,
    move.tenant,
    move.most,
    move.after,
    move.dry,
  ]
  return retryTransaction(() =>
    caller.call<MovedRow>(
      {
        name: 'millrace_migrate_runs',
        text: 'select run_id, moved, reason from millrace.migrate_runs($1, $2, $3, $4::jsonb, $5::uuid[], $6, $7, $8::uuid, $9)',
      },
      values,
    ),
  )
}
