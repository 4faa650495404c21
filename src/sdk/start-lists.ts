// Owns starts that go to the database by themselves, in calls of a bounded size: lists, those in a transaction of the caller's, those with callbacks.
import type pg from 'pg'
import { type Caller, type Transaction, transactionCaller } from '../db/call.ts'
import { addCallbacks } from '../db/callbacks.ts'
import { startRuns } from '../db/runs.ts'
import { inPoolTransaction, retryWhen } from '../db/transaction.ts'
import type { SealedRuns } from './sealed-runs.ts'
import type { PendingStart, StartAnswer, StartVia } from './start.ts'
import { answersOrThrow, callStart, mayAskAgain, type StartParts, startsPerCall } from './start-call.ts'

/** What a start in a transaction needs of its client. */
export interface TransactionParts {
  readonly sealed: (caller: Caller) => SealedRuns
  readonly via: StartVia
}

/** Starts inside the caller's own transaction: nothing is handed over, and the wake-up leaves with the commit. */
export async function startInTransaction(
  transaction: Transaction,
  starts: readonly PendingStart[],
  { sealed, via }: TransactionParts,
): Promise<StartAnswer[]> {
  const caller = transactionCaller(transaction)
  const answers: StartAnswer[] = []
  for (let from = 0; from < starts.length; from += startsPerCall) {
    const part = starts.slice(from, from + startsPerCall)
    const rows = part.map((start) => start.row)
    const rowsOfPart = await startRuns(caller, rows, { via, wakeAlways: true })
    answers.push(...(await answersOrThrow({ caller, sealed: sealed(caller), via }, part, rowsOfPart)))
  }
  await addStartCallbacks(caller, starts, answers)
  return answers
}

/** For those that created a run: of one that was there already, its own start has said whom to tell. All of a call name the same callbacks. */
async function addStartCallbacks(
  caller: Caller,
  starts: readonly PendingStart[],
  answers: readonly StartAnswer[],
): Promise<void> {
  const callbacks = starts[0]?.callbacks ?? []
  const created = answers.flatMap((answer) => (answer.created ? [answer.run.id] : []))
  if (callbacks.length === 0) return
  for (let from = 0; from < created.length; from += startsPerCall)
    await addCallbacks(caller, created.slice(from, from + startsPerCall), callbacks)
}

/**
 * Starts with callbacks outside of a caller's transaction: each call's starts and callbacks share one. Asked again with the same ids
 * where its answer was lost, as other starts are.
 */
export async function startWithCallbacks(
  { pool, database }: { readonly pool: pg.Pool; readonly database: string },
  starts: readonly PendingStart[],
  parts: TransactionParts,
): Promise<StartAnswer[]> {
  const answers: StartAnswer[] = []
  for (let from = 0; from < starts.length; from += startsPerCall) {
    const part = starts.slice(from, from + startsPerCall)
    const together = () =>
      inPoolTransaction(pool, database, (client) => startInTransaction(client, part, parts))
    answers.push(...(await retryWhen(mayAskAgain, together, { attempts: 4, delayMs: 200 })))
  }
  return answers
}

/** Starts a list, in calls of a bounded size, two under way at a time: so that client and server both work. */
export async function startMany(
  { caller, sealed, via }: StartParts,
  starts: readonly PendingStart[],
): Promise<StartAnswer[]> {
  const parts: PendingStart[][] = []
  for (let from = 0; from < starts.length; from += startsPerCall)
    parts.push(starts.slice(from, from + startsPerCall))
  const answers: StartAnswer[][] = Array.from({ length: parts.length })
  let next = 0
  const work = async () => {
    while (next < parts.length) {
      const index = next++
      const rows = await callStart({ caller, via }, parts[index]!, undefined)
      answers[index] = await answersOrThrow({ caller, sealed, via }, parts[index]!, rows)
    }
  }
  await Promise.all([work(), work()])
  return answers.flat()
}
