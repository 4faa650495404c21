// The SQL functions that tell what runs wait for.
import type { WhyReason } from '../core/why-reason.ts'
import type { Caller } from './call.ts'

export interface WhyRow {
  readonly reason: WhyReason
  readonly sentence: string
  readonly told_step: string | null
  readonly told_item: number | null
  readonly due_at: Date | null
}

/** What a run, a step of it or an item of a map waits for. @throws MillraceError run_unknown, step_not_in_run */
export async function why(
  caller: Caller,
  runId: string,
  step: string | null = null,
  item: number | null = null,
): Promise<WhyRow> {
  const rows = await caller.call<WhyRow>(
    {
      name: 'millrace_why',
      text: 'select reason, sentence, told_step, told_item, due_at from millrace.why($1, $2, $3)',
    },
    [runId, step, item],
  )
  return rows[0]!
}

export interface NeedRow {
  readonly run_id: string
  readonly pipeline: string
  readonly version: number
  readonly queue: string
  readonly step: string
}

/** Of the runs given, those that stand still because no live worker serves their version. */
export function needsVersion(caller: Caller, runIds: readonly string[]): Promise<NeedRow[]> {
  return caller.call<NeedRow>(
    {
      name: 'millrace_needs_version',
      text: 'select run_id, pipeline, version, queue, step from millrace.needs_version($1::uuid[])',
    },
    [runIds],
  )
}
