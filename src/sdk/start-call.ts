// Owns one call that starts runs: asked again where its answer was lost, and what it answers each start.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { addCallbacks, type CallbackRow } from '../db/callbacks.ts'
import { passesAtOf, type StartAnswerRow, startRuns } from '../db/runs.ts'
import { isUndoneByConflict, retryTransaction, retryWhen } from '../db/transaction.ts'
import { conflictError } from './conflict.ts'
import type { HandedOver, LocalWorker } from './local-worker.ts'
import { pauseWords } from './paused-starts.ts'
import type { SealedRuns } from './sealed-runs.ts'
import type { PendingStart, StartAnswer, StartVia } from './start.ts'

/** What a start needs of its client. */
export interface StartParts {
  readonly caller: Caller
  readonly sealed: SealedRuns
  readonly via: StartVia
  /** Does it in a transaction of its own. */
  readonly inTransaction: <T>(work: (caller: Caller) => Promise<T>) => Promise<T>
}

export const startsPerCall = 1_000

/**
 * One call. A lost answer is asked for again with the same ids, so that a start whose commit went through unseen is the same
 * start; a transaction that PostgreSQL undid for another's sake is repeated.
 */
export async function callStart(
  parts: Omit<StartParts, 'sealed'>,
  starts: readonly PendingStart[],
  worker: LocalWorker | undefined,
  lockMs?: number,
): Promise<StartAnswerRow[]> {
  const handOver = worker?.reserve(starts.reduce((tasks, { entries }) => tasks + entries, 0))
  let answer: StartAnswerRow[] | undefined
  let tasks: HandedOver[]
  try {
    answer = await retryTransaction(() =>
      ask(parts, starts, {
        handOver,
        wakeAlways: false,
        givenIds: starts.some((start) => start.givenId),
        lockMs,
      }),
    )
    tasks = handedOver(starts, answer)
  } catch (error) {
    const isLost = hasCode(error, 'database_unreachable')
    // What was answered is committed: whatever is wrong with it, the worker may hold tasks.
    if (handOver !== undefined && (isLost || answer !== undefined)) worker?.lostAnswer(handOver.room)
    else if (handOver !== undefined) worker?.take(handOver.room, [])
    if (!isLost) throw error
    return await retryWhen(mayAskAgain, () => ask(parts, starts, { wakeAlways: true }), {
      attempts: 4,
      delayMs: 200,
    })
  }
  if (handOver !== undefined) worker?.take(handOver.room, tasks)
  return answer
}

/** Whom to tell of the ends of runs is written in the transaction that starts them. */
function ask(
  { caller, via, inTransaction }: Omit<StartParts, 'sealed'>,
  starts: readonly PendingStart[],
  options: Omit<Parameters<typeof startRuns>[2], 'via'>,
): Promise<StartAnswerRow[]> {
  const rows = starts.map((start) => start.row)
  if (starts.every(({ callbacks }) => callbacks.length === 0))
    return startRuns(caller, rows, { ...options, via })
  return inTransaction(async (own) => {
    const answer = await startRuns(own, rows, { ...options, via, wakeAlways: true })
    await addStartCallbacks(own, starts, answer)
    return answer
  })
}

/** For those that created a run: of one that was there already, its own start has said whom to tell. */
export async function addStartCallbacks(
  caller: Caller,
  starts: readonly PendingStart[],
  rows: readonly StartAnswerRow[],
): Promise<void> {
  const refused = refusedOf(rows)
  const told = new Map<string, { readonly runs: string[]; readonly callbacks: readonly CallbackRow[] }>()
  for (const { row, callbacks } of starts) {
    if (callbacks.length === 0 || refused.has(row.id)) continue
    const text = JSON.stringify(callbacks)
    const known = told.get(text)
    if (known === undefined) told.set(text, { runs: [row.id], callbacks })
    else known.runs.push(row.id)
  }
  if (told.size > 0) await addCallbacks(caller, [...told.values()])
}

function refusedOf(rows: readonly StartAnswerRow[]): Map<string, StartAnswerRow> {
  return new Map(rows.filter((row) => row.reason !== 'leased').map((row) => [row.run_id, row]))
}

function handedOver(starts: readonly PendingStart[], rows: readonly StartAnswerRow[]): HandedOver[] {
  const leased = rows.filter((row) => row.reason === 'leased')
  if (leased.length === 0) return []
  const byId = new Map(starts.map((start) => [start.row.id, start]))
  return leased.map((row) => {
    const start = byId.get(row.run_id)!
    return {
      taskId: row.task_id!,
      stepId: row.step_id!,
      runId: row.run_id,
      // As everybody else will read it, and nobody's object but the handler's own.
      input: JSON.parse(start.clearInput) as unknown,
      tenant: start.row.tenant,
      headers: start.headers,
      key: start.key ?? null,
      priority: start.row.priority ?? 5,
    }
  })
}

/** Answers in the order of the starts; the places of conflicts go to `refuse`, with the run that has the key. */
export function answersOf(
  starts: readonly PendingStart[],
  rows: readonly StartAnswerRow[],
  refuse: (index: number, runId: string | null) => void,
): StartAnswer[] {
  const refused = refusedOf(rows)
  return starts.map(({ row }, index) => {
    const answer = refused.get(row.id)
    if (answer === undefined) return { created: true, run: { id: row.id } }
    if (answer.reason === 'paused') return { created: false, reason: 'paused', run: null, why: '' }
    if (answer.reason === 'conflict') {
      refuse(index, answer.live_run_id)
      return undefined as never
    }
    const { reason, rule } = answer
    if (reason === 'limit')
      return { created: false, reason, run: null, rule: rule ?? '', passesAt: passesAtOf(answer) }
    const stands = { created: false, reason: reason as 'live', run: { id: answer.live_run_id! } } as const
    return rule === null ? stands : { ...stands, rule }
  })
}

/** @throws MillraceError idempotency_conflict */
export async function answersOrThrow(
  parts: Pick<StartParts, 'caller' | 'sealed'>,
  starts: readonly PendingStart[],
  rows: readonly StartAnswerRow[],
): Promise<StartAnswer[]> {
  const conflicts: Array<{ readonly index: number; readonly runId: string | null }> = []
  const answers = answersOf(starts, rows, (index, runId) => conflicts.push({ index, runId }))
  const [first] = conflicts
  if (first !== undefined) throw await conflictOf(parts, starts[first.index]!, first.runId)
  await addPauseWords(parts.caller, starts, answers)
  return answers
}

/** Asked for only where a start was refused so. */
export async function addPauseWords(
  caller: Caller,
  starts: readonly PendingStart[],
  answers: Array<StartAnswer | undefined>,
): Promise<void> {
  const places = answers.flatMap((answer, place) =>
    answer?.created === false && answer.reason === 'paused' ? [place] : [],
  )
  if (places.length === 0) return
  const words = await pauseWords(
    caller,
    places.map((place) => starts[place]!.row),
  )
  for (const [n, place] of places.entries())
    answers[place] = { created: false, reason: 'paused', run: null, why: words[n]! }
}

export function conflictOf(
  { caller, sealed }: Pick<StartParts, 'caller' | 'sealed'>,
  { row, clearInput }: PendingStart,
  runId: string | null,
): Promise<MillraceError> {
  const { slug, idempotencyKey } = row
  return conflictError(caller, sealed, { slug, idempotencyKey, clearInput }, runId)
}

function mayAskAgain(error: unknown): boolean {
  return hasCode(error, 'database_unreachable') || isUndoneByConflict(error)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof MillraceError && error.code === code
}
