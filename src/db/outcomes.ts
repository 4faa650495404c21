// The SQL function that tells what a run will end as, to the steps that follow that.
import type { Caller } from './call.ts'

export interface OutcomeRow {
  readonly outcome: 'completed' | 'failed' | 'cancelled'
  readonly error: {
    readonly code?: string
    readonly message?: string
    readonly step?: string
    readonly item?: number
  } | null
}

/** What a run will end as; undefined where that is not known yet. */
export async function readOutcome(caller: Caller, runId: string): Promise<OutcomeRow | undefined> {
  const [row] = await caller.call<{ [Name in keyof OutcomeRow]: OutcomeRow[Name] | null }>(
    { name: 'millrace_read_outcome', text: 'select outcome, error from millrace.read_outcome($1)' },
    [runId],
  )
  if (row === undefined || row.outcome === null) return undefined
  return { outcome: row.outcome, error: row.error }
}
