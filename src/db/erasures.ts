// The SQL functions of erasing: all of a run, or of a tenant, out of every table.
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

/** How many rows of each table. */
export type RowCounts = Readonly<Record<string, number>>

/** What went, or, dry, what would. @throws MillraceError run_unknown, run_live */
export async function deleteRun(
  caller: Caller,
  runId: string,
  options: { readonly dry: boolean; readonly reason: string | null },
): Promise<RowCounts> {
  const rows = await retryTransaction(() =>
    caller.call<{ counts: RowCounts }>(
      { name: 'millrace_delete_run', text: 'select millrace.delete_run($1, $2, $3) as counts' },
      [runId, options.dry, options.reason],
    ),
  )
  return rows[0]!.counts
}

export interface ErasedRow {
  /** Null where nothing was erased. */
  readonly erasure: string | null
  /** Since the erasure began. */
  readonly counts: RowCounts
  readonly more: boolean
}

/** One batch. @throws MillraceError run_live */
export async function eraseTenant(
  caller: Caller,
  tenant: string,
  options: {
    readonly dry: boolean
    readonly erasure: string | null
    readonly batch: number
    readonly reason: string | null
  },
): Promise<ErasedRow> {
  const rows = await retryTransaction(() =>
    caller.call<ErasedRow>(
      {
        name: 'millrace_erase_tenant',
        text: 'select erasure, counts, more from millrace.erase_tenant($1, $2, $3::uuid, $4, $5)',
      },
      [tenant, options.dry, options.erasure, options.batch, options.reason],
    ),
  )
  return rows[0]!
}
