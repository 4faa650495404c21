// The SQL function by which an attempt holds the limits of its step for all workers.
import type { Caller } from './call.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

export interface BackOffAsked extends HeldRow {
  readonly delayMs: number
  /** One limit alone; else all limits of concurrency and rate that hold for the step. */
  readonly limit: string | null
}

/** Lost: the attempt holds its task no more. Unlimited: no such limit holds for its step. */
export type BackOffAnswer = 'held' | 'lost' | 'unlimited'

export async function backOff(
  caller: Caller,
  worker: WorkerKey,
  asked: BackOffAsked,
): Promise<BackOffAnswer> {
  const { taskId, stepId, attempt, delayMs, limit } = asked
  const rows = await caller.call<{ answer: BackOffAnswer }>(
    {
      name: 'millrace_back_off',
      text: 'select millrace.back_off($1, $2, $3, $4, $5, $6, $7) as answer',
    },
    [worker.workerId, worker.lockKey, taskId, stepId, attempt, delayMs, limit],
  )
  return rows[0]!.answer
}
