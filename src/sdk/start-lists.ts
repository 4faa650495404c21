// Owns lists of starts: in calls of a bounded size, or in a transaction of the caller's.
import { MillraceError } from '../core/errors.ts'
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

/**
 * Starts a list, in calls of a bounded size, two under way at a time: so that client and server both work. Once one has failed no other begins, and
 * nothing is under way any more when that is told.
 */
export async function startMany(parts: StartParts, starts: readonly PendingStart[]): Promise<StartAnswer[]> {
  const calls: PendingStart[][] = []
  for (let from = 0; from < starts.length; from += startsPerCall)
    calls.push(starts.slice(from, from + startsPerCall))
  const answers: StartAnswer[][] = Array.from({ length: calls.length }, () => [])
  const failures: unknown[] = []
  let next = 0
  const work = async () => {
    while (next < calls.length && failures.length === 0) {
      const index = next++
      try {
        const rows = await callStart(parts, calls[index]!, undefined)
        answers[index] = await answersOrThrow(parts, calls[index]!, rows)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all([work(), work()])
  if (failures.length > 0) throw halfWay(failures[0], answers)
  return answers.flat()
}

/** The same error, which also names the inputs that were started: of each piece the first and the last, counted from 0. */
function halfWay(error: unknown, answers: ReadonlyArray<readonly StartAnswer[]>): unknown {
  if (!(error instanceof MillraceError)) return error
  const started: Array<{ first: number; last: number }> = []
  for (const [index, { length }] of answers.entries()) {
    const [before, first] = [started.at(-1), index * startsPerCall]
    if (length === 0) continue
    if (before?.last === first - 1) before.last += length
    else started.push({ first, last: first + length - 1 })
  }
  const { code, message, fields, hint } = error
  return new MillraceError(code, message, { fields: { ...fields, started }, hint, cause: error })
}
