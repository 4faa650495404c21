// An attempt at a `tx` step: the handler's rows, its result and its fence check are one transaction, so its effect happens exactly once.
import type pg from 'pg'
import { clientCaller } from '../db/call.ts'
import { isConnectionLoss } from '../db/database-error.ts'
import { taggedSql } from '../db/sql-tag.ts'
import { type CompleteAnswerRow, completeTasks, countWrites, holdTask, type WorkerKey } from '../db/tasks.ts'
import { beginAttempt, commitAttempt, rollBackAttempt } from '../db/transaction.ts'
import { type AttemptRoom, failure, handlerContext, isUnwanted, type Outcome, runHandler } from './attempt.ts'
import { isPassing } from './flush.ts'
import type { HeldTask } from './held-task.ts'

export type TransactionOutcome =
  | Extract<Outcome, { kind: 'skipped' }>
  /** With a lost connection nobody knows whether the commit went through. */
  | (Extract<Outcome, { kind: 'failed' }> & { readonly connectionLost: boolean })
  /** Committed: what came next is here already. */
  | { readonly kind: 'committed'; readonly output: string; readonly answers: readonly CompleteAnswerRow[] }
  /** The attempt no longer holds its task; nothing was written. */
  | { readonly kind: 'lost' }

/**
 * Runs the attempt in a transaction of this client. The task is asked for without a lock before, and completed with one as the
 * last statement: a reclaim can't slip in between check and write.
 */
export async function runTransactionAttempt(
  task: HeldTask,
  worker: WorkerKey,
  client: pg.PoolClient,
  room: AttemptRoom & { readonly watched: boolean },
): Promise<TransactionOutcome> {
  const caller = clientCaller(client)
  try {
    const context = handlerContext(task, { ...room, sql: taggedSql(caller) }, client as unknown as pg.Client)
    if (await isUnwanted(task, context)) return { kind: 'skipped', reason: 'its condition said no' }
    const held = { taskId: task.taskId, stepId: task.step.id, attempt: task.attempt }
    if (!(await holdTask(caller, worker, held))) return { kind: 'lost' }
    await beginAttempt(client, task.step.timeoutMs)
    const output = await runHandler(task, context)
    const writes = await countWrites(caller)
    task.reported = true
    const answers = await completeTasks(
      caller,
      worker,
      [{ ...held, output, skipReason: null, writes: JSON.stringify(writes), watched: room.watched }],
      { room: 0, leastUrgent: task.priority, transactional: true },
    )
    if (answers.some((answer) => answer.kind === 'lost')) {
      await rollBackAttempt(client)
      return { kind: 'lost' }
    }
    await commitAttempt(client)
    return { kind: 'committed', output, answers }
  } catch (error) {
    task.reported = false
    await rollBackAttempt(client)
    return { ...failure(task, error, room.storeStacks), connectionLost: isPassing(error) || isConnectionLoss(error) }
  }
}
