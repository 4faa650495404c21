// The tries of one attempt at a `tx` step: a server that has no room for the transaction is given time.
import type pg from 'pg'
import type { WorkerKey } from '../db/tasks.ts'
import { failure } from './attempt.ts'
import { pause } from './connections.ts'
import type { HeldTask } from './held-task.ts'
import { patiently } from './patience.ts'
import {
  runTransactionAttempt,
  type TransactionOutcome,
  type TransactionRoom,
} from './transaction-attempt.ts'

/** Between two tries. */
const starvedMs = 1_000

export interface TransactionTriesRoom extends TransactionRoom {
  readonly pool: pg.Pool
  readonly key: WorkerKey
  readonly random: () => number
  /** The server has no room for the transaction at present: it is tried again. */
  readonly starved: (error: Error) => void
}

/** Runs the attempt, again within its time where the server had no room for it. */
export async function runTransaction(
  task: HeldTask,
  room: TransactionTriesRoom,
): Promise<TransactionOutcome> {
  const deadline = performance.now() + task.step.timeoutMs
  let outcome = await tryTransaction(task, room)
  while (
    outcome.kind === 'failed' &&
    outcome.starved !== undefined &&
    !task.abort.aborted &&
    performance.now() < deadline
  ) {
    room.starved(outcome.starved)
    await pause(starvedMs * (0.5 + room.random()), task.abort.signal)
    if (!task.abort.aborted) outcome = await tryTransaction(task, room)
  }
  return outcome
}

async function tryTransaction(task: HeldTask, room: TransactionTriesRoom): Promise<TransactionOutcome> {
  let client: pg.PoolClient
  try {
    client = await patiently(task, room.random, () => room.pool.connect())
  } catch (error) {
    return { ...failure(task, error, false), uncertain: false, starved: undefined, spoilt: false }
  }
  const outcome = await runTransactionAttempt(task, room.key, client, room)
  client.release(outcome.kind === 'failed' && outcome.spoilt)
  return outcome
}
