// Owns lists of starts: in calls of a bounded size, or in a transaction of the caller's.
import { type Caller, type Transaction, transactionCaller } from '../db/call.ts'
import { startRuns } from '../db/runs.ts'
import type { SealedRuns } from './sealed-runs.ts'
import type { PendingStart, StartAnswer, StartVia } from './start.ts'
import { addStartCallbacks, answersOrThrow, callStart, type StartParts, startsPerCall } from './start-call.ts'

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
    answers.push(...(await answersOrThrow({ caller, sealed: sealed(caller) }, part, rowsOfPart)))
    await addStartCallbacks(caller, part, rowsOfPart)
  }
  return answers
}

/** Starts a list, in calls of a bounded size, two under way at a time: so that client and server both work. */
export async function startMany(parts: StartParts, starts: readonly PendingStart[]): Promise<StartAnswer[]> {
  const calls: PendingStart[][] = []
  for (let from = 0; from < starts.length; from += startsPerCall)
    calls.push(starts.slice(from, from + startsPerCall))
  const answers: StartAnswer[][] = Array.from({ length: calls.length })
  let next = 0
  const work = async () => {
    while (next < calls.length) {
      const index = next++
      const rows = await callStart(parts, calls[index]!, undefined)
      answers[index] = await answersOrThrow(parts, calls[index]!, rows)
    }
  }
  await Promise.all([work(), work()])
  return answers.flat()
}
