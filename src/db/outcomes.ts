// The SQL functions that tell the steps which follow the outcome of a run what that is, and what they undo.
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

/** What an item of a map gave. */
export async function readItemOutput(
  caller: Caller,
  { runId, step, item }: { readonly runId: string; readonly step: string; readonly item: number },
): Promise<unknown> {
  const [row] = await caller.call<{ output: unknown }>(
    { name: 'millrace_read_item_output', text: 'select millrace.read_item_output($1, $2, $3) as output' },
    [runId, step, item],
  )
  return row?.output ?? null
}
