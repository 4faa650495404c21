// The SQL function of batches: tasks that one call of a handler gets together.
import type { Caller } from './call.ts'
import type { ClaimedTask, WorkerKey } from './tasks.ts'

/** A task with the number of its batch; or, without a task, in how many milliseconds the next batch is due. */
export type BatchRow = (ClaimedTask & { readonly batch: number; readonly due_ms: null }) | DueRow

interface DueRow {
  readonly batch: null
  readonly due_ms: number
}

/** Claims up to `room` batches of these handlers, which come in the order in which they are given. */
export function claimBatches(
  caller: Caller,
  worker: WorkerKey,
  room: number,
  handlers: readonly number[],
): Promise<BatchRow[]> {
  return caller.call<BatchRow>(
    {
      name: 'millrace_claim_batches',
      text: `select due_ms, batch, task_id, run_id, step_id, item, item_value, attempt, priority, handler, failures, input, tenant, key, headers, run_created_at
        from millrace.claim_batches($1, $2, $3, $4::int[])`,
    },
    [worker.workerId, worker.lockKey, room, handlers],
  )
}
