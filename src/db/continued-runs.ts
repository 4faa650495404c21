// The SQL function that ends a run and starts the one that goes on in its place.
import type { Caller } from './call.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

export interface ContinuedRow extends HeldRow {
  /** Of the run that goes on. */
  readonly runId: string
  /** JSON text. */
  readonly input: string
}

/** False where the attempt no longer holds its task. @throws MillraceError continue_misplaced, child_refused, key_value_missing */
export async function continueRun(caller: Caller, worker: WorkerKey, row: ContinuedRow): Promise<boolean> {
  const rows = await caller.call<{ continued: boolean }>(
    {
      name: 'millrace_continue_run',
      text: 'select millrace.continue_run($1, $2, $3, $4, $5, $6, $7::jsonb) as continued',
    },
    [worker.workerId, worker.lockKey, row.taskId, row.stepId, row.attempt, row.runId, row.input],
  )
  return rows[0]!.continued
}
