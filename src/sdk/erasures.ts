// Owns erasing a tenant: batch by batch, until nothing of it is left.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { eraseTenant as eraseBatch, type RowCounts } from '../db/erasures.ts'

export interface EraseTenantOptions {
  /** Only count what would go. */
  readonly dryRun?: boolean
  /** Kept with the record that it was done. */
  readonly reason?: string
  /** How many runs go in one transaction; 500 unless told. */
  readonly runsPerBatch?: number
}

export interface ErasedTenant {
  /** The id of the record; null where nothing was to be erased but counted. */
  readonly erasure: string | null
  /** How many rows of each table. */
  readonly rows: RowCounts
}

/** What was erased before a failure stays erased; called again it goes on. @throws MillraceError run_live, argument_invalid */
export async function eraseTenant(
  caller: Caller,
  tenant: string,
  { dryRun = false, reason, runsPerBatch = 500 }: EraseTenantOptions,
): Promise<ErasedTenant> {
  if (!Number.isInteger(runsPerBatch) || runsPerBatch < 1 || runsPerBatch > 10_000)
    throw new MillraceError('argument_invalid', `A batch has from 1 to 10,000 runs, not ${runsPerBatch}.`, {
      fields: { runsPerBatch },
    })
  let erasure: string | null = null
  for (;;) {
    const answer = await eraseBatch(caller, tenant, {
      dry: dryRun,
      erasure,
      batch: runsPerBatch,
      reason: reason ?? null,
    })
    if (!answer.more) return { erasure: answer.erasure, rows: answer.counts }
    erasure = answer.erasure
  }
}
