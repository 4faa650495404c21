// An attempt at a `tx` step: the handler's rows, its result and its fence check are one transaction, so its effect happens exactly once.
import type pg from 'pg'
import { clientCaller } from '../db/call.ts'
import { isConnectionLoss, sqlState } from '../db/database-error.ts'
import { endedEarly, lendClient } from '../db/lent-client.ts'
import { taggedSql } from '../db/sql-tag.ts'
import {
  type CompleteAnswerRow,
  completeTasks,
  countOldWrites,
  countWrites,
  holdTask,
  type WorkerKey,
  type Writes,
} from '../db/tasks.ts'
import {
  beginAttempt,
  commitAttempt,
  endsSameTransaction,
  isAtRest,
  rollBackAttempt,
  transactionLost,
} from '../db/transaction.ts'
import { type AttemptRoom, failure, handlerContext, isUnwanted, type Outcome, runHandler } from './attempt.ts'
import { isPassing } from './flush.ts'
import { undeclaredWrite } from './handler-sql.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import { heldRow } from './outcome-rows.ts'
import { sealedOutput } from './sealing.ts'

export type TransactionOutcome =
  | Extract<Outcome, { kind: 'skipped' }>
  | (Extract<Outcome, { kind: 'failed' }> & {
      /** Nobody knows whether the commit went through. */
      readonly uncertain: boolean
      /** That the server had no disk, memory or connection left, and undid the transaction: no failure of the step. */
      readonly starved: Error | undefined
      /** The connection is not fit for the next one: it broke, or the handler still uses it. */
      readonly spoilt: boolean
    })
  /** Committed: what came next is here already. */
  | { readonly kind: 'committed'; readonly output: string; readonly answers: readonly CompleteAnswerRow[] }

export interface TransactionRoom extends AttemptRoom {
  /** Whether somebody waits for the end of the task's run. */
  readonly watched: (task: HeldTask) => boolean
  /** Whether a step that parked here waits for the task's run. */
  readonly called: (task: HeldTask) => boolean
  /** For so long a worker may be silent and keep what it holds. */
  readonly leaseSeconds: number
  /** When what the handler has said is stored; answers with what was refused of it. */
  readonly said: () => Promise<Error | undefined>
}

/**
 * Runs the attempt in a transaction of this client. The task is asked for without a lock before, and completed with one as the
 * last statement: a reclaim can't slip in between check and write.
 */
export async function runTransactionAttempt(
  task: HeldTask,
  worker: WorkerKey,
  client: pg.PoolClient,
  room: TransactionRoom,
): Promise<TransactionOutcome> {
  const lent = lendClient(client)
  let handling = false
  const sql = taggedSql(clientCaller(lent.client))
  const own = {
    ...room,
    // Its condition is asked before the transaction, on a connection that only reads.
    sql: (_: HeldTask, text: TemplateStringsArray, values: readonly unknown[]) =>
      sql(text, ...values).catch((error: unknown) => {
        throw handling ? error : undeclaredWrite(task, error)
      }),
  }
  const context = handlerContext(task, own, lent.client)
  try {
    if (await isUnwanted(task, context)) return { kind: 'skipped', reason: 'its condition said no' }
    if (!(await holdTask(clientCaller(client), worker, heldRow(task)))) throw notHeld(task)
    await beginAttempt(client, task.step.timeoutMs, markOf(task), task.run.id)
    const writesBefore = room.pooled ? await countOldWrites(clientCaller(client)) : {}
    handling = true
    const output = await runHandler(task, context)
    handling = false
    lent.takeBack()
    if (task.logged || task.reports !== undefined) {
      const refused = await room.said()
      if (refused !== undefined) throw refused
    }
    const answers = await complete(task, worker, client, {
      output,
      watched: room.watched(task),
      wakes: room.called(task),
      writesBefore,
      leaseSeconds: room.leaseSeconds,
    })
    await commitAttempt(client)
    return { kind: 'committed', output, answers }
  } catch (error) {
    lent.takeBack()
    task.reported = false
    const uncertain = isPassing(error) || isConnectionLoss(error)
    // A handler that was left running at its timeout may still be in the middle of a statement.
    const isUsed = uncertain || (handling && task.abort.aborted)
    if (!isUsed) await rollBackAttempt(client)
    const spoilt = isUsed || !isAtRest(client)
    const starved = sqlState(error)?.startsWith('53') === true ? (error as Error) : undefined
    return { ...failure(task, error, room.storeStacks), uncertain, starved, spoilt }
  } finally {
    lent.takeBack()
  }
}

async function complete(
  task: HeldTask,
  worker: WorkerKey,
  client: pg.PoolClient,
  {
    output,
    watched,
    wakes,
    writesBefore,
    leaseSeconds,
  }: {
    readonly output: string
    readonly watched: boolean
    readonly wakes: boolean
    readonly writesBefore: Writes
    readonly leaseSeconds: number
  },
): Promise<CompleteAnswerRow[]> {
  const caller = clientCaller(client)
  try {
    if (!(await endsSameTransaction(client, markOf(task), leaseSeconds))) throw endedEarly(task.step.name)
    const writes = JSON.stringify(await countWrites(caller, writesBefore))
    task.reported = true
    const row = {
      ...heldRow(task),
      output: sealedOutput(task, output),
      skipReason: null,
      writes,
      watched,
    }
    const options = { room: 0, leastUrgent: task.priority, transactional: true, wakes }
    const answers = await completeTasks(caller, worker, [row], options)
    if (answers.some((answer) => answer.kind === 'lost')) throw notHeld(task)
    return answers
  } catch (error) {
    // The handler caught the error of a statement, after which the server takes no other.
    throw sqlState(error) === '25P02' ? transactionLost() : error
  }
}

/** Marks the transaction of an attempt, so that another one in its place is noticed. */
function markOf({ taskId, step, attempt }: HeldTask): string {
  return `${taskId}:${step.id}:${attempt}`
}

/** What the database makes of the report says whether the attempt was reclaimed or its run ended. */
function notHeld(task: HeldTask): unknown {
  return task.abort.aborted
    ? task.abort.reason
    : new AttemptAborted('the attempt was reclaimed, or its run has ended; nothing was written')
}
