// Starts: their options, their answers, and the batches in which they share commits.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import type { Graph } from '../core/graph.ts'
import { checkJson } from '../core/json.ts'
import type { Cipher } from '../core/encryption.ts'
import { isUuid } from '../core/uuid.ts'
import { type Caller, type Transaction, transactionCaller } from '../db/call.ts'
import { addCallbacks, type CallbackRow } from '../db/callbacks.ts'
import { isHeldUp, sqlState } from '../db/database-error.ts'
import { type StartAnswerRow, type StartRow, startRuns } from '../db/runs.ts'
import { inPoolTransaction, isUndoneByConflict, retryTransaction, retryWhen } from '../db/transaction.ts'
import type { AllowedTargets } from '../net/target.ts'
import { type CallbackOptions, callbackRows } from './callback.ts'
import type { LocalWorker } from './local-worker.ts'
import { pauseWords } from './paused-starts.ts'
import { knownRunKey } from './run-key.ts'
import { sealedInput, type SealedRuns } from './sealed-runs.ts'
import { conflictError } from './conflict.ts'
import type { StartedRun } from './startable.ts'

export interface StartOptions {
  /** The start belongs to this transaction: it commits and rolls back with it. */
  readonly tx?: Transaction
  /** From 1, first, to 9, last; 5 by default. */
  readonly priority?: number
  /** Not before this time. */
  readonly availableAt?: Date
  /** Same key within its lifetime: same run; with another input: an error. */
  readonly idempotencyKey?: string
  /** Seconds that the key lives; a day by default. */
  readonly idempotencySeconds?: number
  readonly tenant?: string
  /** Carried along, never interpreted. */
  readonly headers?: Readonly<Record<string, string>>
  /** Who is told of the end of the run that this start creates, signed by Standard Webhooks. */
  readonly callback?: CallbackOptions | readonly CallbackOptions[]
  /** A version 7 UUID of the caller's own: the same id is the same start. */
  readonly runId?: string
}

/** What a start answers: the new run, or why there is none, with the run that stands in its place. */
export type StartAnswer =
  | { readonly created: true; readonly run: StartedRun }
  | {
      readonly created: false
      readonly reason: 'live' | 'repeated' | 'coalesced'
      readonly run: StartedRun
      /** The rule on starts that says so, where it is one. */
      readonly rule?: string
    }
  /** By this rule on starts; with the time at which it would pass, where that is known. */
  | {
      readonly created: false
      readonly reason: 'limit'
      readonly run: null
      readonly rule: string
      readonly passesAt: Date | null
    }
  | {
      readonly created: false
      readonly reason: 'paused'
      readonly run: null
      /** Since when and why its pipeline or run key is paused, and what lets it go on. */
      readonly why: string
    }

/** What a run says that started it. */
export type StartVia = 'sdk' | 'http'

/** One start on its way: the row, and what a hand-over needs of it. */
export interface PendingStart {
  readonly row: StartRow
  readonly headers: Record<string, string> | null
  /** The run key; undefined where only the database knows it. */
  readonly key: string | null | undefined
  /** How many steps begin at once. */
  readonly entries: number
  /** Whether its id is the caller's own. */
  readonly givenId: boolean
  /** The input in the clear, as JSON text. */
  readonly clearInput: string
  readonly callbacks: readonly CallbackRow[]
}

const startsPerCall = 1_000

/** The row of one start. @throws MillraceError json_invalid, json_too_large, start_option_invalid, encryption_key_missing, callback_invalid, target_refused */
export function pendingStart(
  start: {
    readonly slug: string
    readonly version: number | null
    readonly id: string
    readonly input: unknown
    /** The graph of the version, where it is known here. */
    readonly graph?: Graph
    /** How it is encrypted, where that is all that is known of its graph. */
    readonly encrypt?: Graph['encrypt']
  },
  options: StartOptions,
  cipher?: Cipher,
  allowTargets?: AllowedTargets,
): PendingStart {
  checkOptions(start.slug, options)
  const text = checkJson(start.input, { what: `the input of pipeline '${start.slug}'` })
  const headers = options.headers === undefined ? null : { ...options.headers }
  const id = options.runId ?? start.id
  const sealed = { id, slug: start.slug, text, encrypt: start.graph?.encrypt ?? start.encrypt, options }
  return {
    headers,
    key: knownRunKey(start.input, start.graph?.key ?? []),
    givenId: options.runId !== undefined,
    clearInput: text,
    callbacks: callbackRows(`The start of '${start.slug}'`, options.callback, allowTargets),
    entries: start.graph?.steps.filter(({ after }) => after.length === 0).length ?? 1,
    row: {
      id,
      slug: start.slug,
      version: start.version,
      input: sealedInput(sealed, cipher),
      priority: options.priority ?? null,
      tenant: options.tenant ?? null,
      headers: headers === null ? null : checkJson(headers, { what: 'the headers', maxBytes: 16_384 }),
      availableAt: options.availableAt ?? null,
      idempotencyKey: options.idempotencyKey ?? null,
      idempotencySeconds: options.idempotencySeconds ?? null,
    },
  }
}

function checkOptions(slug: string, options: StartOptions): void {
  const refuse = (option: string, bounds: string) => {
    throw new MillraceError(
      'start_option_invalid',
      `The start of '${slug}' has a ${option} that is not ${bounds}.`,
      {
        fields: { pipeline: slug, option },
      },
    )
  }
  const { priority, availableAt, idempotencyKey, idempotencySeconds, runId, tenant } = options
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 1 && priority <= 9))
    refuse('priority', 'a whole number from 1 to 9')
  if (availableAt !== undefined && !(Math.abs(availableAt.getTime()) < 253_402_300_800_000))
    refuse('availableAt', 'a date before the year 10000')
  if (idempotencyKey !== undefined && (idempotencyKey === '' || idempotencyKey.length > 500))
    refuse('idempotencyKey', 'a text of 1 to 500 characters')
  if (
    idempotencySeconds !== undefined &&
    !(Number.isInteger(idempotencySeconds) && idempotencySeconds >= 1 && idempotencySeconds <= 31_536_000)
  )
    refuse('idempotencySeconds', 'a whole number from 1 to 31,536,000')
  if (runId !== undefined && !isUuid(runId)) refuse('runId', 'a UUID')
  if (tenant !== undefined && (tenant === '' || tenant.length > 200))
    refuse('tenant', 'a text of 1 to 200 characters')
}

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

function mayAskAgain(error: unknown): boolean {
  return hasCode(error, 'database_unreachable') || isUndoneByConflict(error)
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

/** What a start needs of its client. */
export interface StartParts {
  readonly caller: Caller
  readonly sealed: SealedRuns
  readonly via: StartVia
}

interface WaitingStart {
  readonly start: PendingStart
  readonly resolve: (answer: StartAnswer) => void
  readonly reject: (error: unknown) => void
}

/** For so long a batch waits for what somebody's open transaction holds, such as a run key; and then each part of it. */
const batchWaitMs = 200
const partWaitMs = 50
/** So many parts of one batch may wait in vain, which is enough to find one start among all; the others go with a later batch. */
const waitsMax = 12
/** For so long one that waits beside the batches does so at a time; then another key has its turn. After so many turns it is given up, as a statement would be. */
const turnMs = 1_000
const turnsMax = 60

/** Starts of one pipeline and run key that wait beside the batches: the first of them asks, and with its answer the others go with a batch again. */
interface Beside {
  readonly starts: WaitingStart[]
  turns: number
  isAsking: boolean
}

/**
 * Natural batching of single starts: whatever was started while the previous call was under way goes with the next one. There is
 * no timer, so an idle process answers at once and a busy one shares its commits. A start that needs what somebody's open transaction holds
 * waits beside the batches, so that it holds up no other.
 */
export class StartBatches {
  readonly #parts: StartParts
  readonly #findWorker: (starts: readonly PendingStart[]) => LocalWorker | undefined
  /** How many of those that wait beside ask at a time, each on a connection of its own. */
  readonly #askersMax: number
  #waiting: WaitingStart[] = []
  #busy = false
  /** In the order of their turns. Those without a run key, or with one that only the database knows, are each by itself. */
  readonly #beside = new Map<string | symbol, Beside>()
  #askers = 0

  /** @param connections how many there are; with one alone, starts wait in their batch */
  constructor(
    parts: StartParts,
    findWorker: (starts: readonly PendingStart[]) => LocalWorker | undefined,
    connections: number,
  ) {
    this.#parts = parts
    this.#findWorker = findWorker
    this.#askersMax = connections >> 1
  }

  start(start: PendingStart): Promise<StartAnswer> {
    return new Promise((resolve, reject) => {
      const waiting = { start, resolve, reject }
      const beside = this.#beside.get(keyOf(start))
      if (beside === undefined) this.#wait([waiting])
      else beside.starts.push(waiting)
    })
  }

  #wait(starts: readonly WaitingStart[]): void {
    // One by one: as arguments of one call, so many as may wait for a key would be too many.
    for (const waiting of starts) this.#waiting.push(waiting)
    if (this.#busy || starts.length === 0) return
    this.#busy = true
    setImmediate(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting.splice(0, startsPerCall)
    this.#waiting.unshift(...batch.splice(this.#fitting(batch)))
    await this.#send(batch, this.#askersMax === 0 ? undefined : batchWaitMs, { left: waitsMax })
    if (this.#waiting.length > 0) setImmediate(() => void this.#flush())
    else this.#busy = false
  }

  /** How many of a batch go together: those that the worker of this process has room for, if that is the better part; else all. */
  #fitting(batch: readonly WaitingStart[]): number {
    const room = this.#findWorker(batch.map(({ start }) => start))?.free ?? 0
    let tasks = 0
    const fitting = batch.findIndex(({ start }) => (tasks += start.entries) > room)
    return fitting * 2 >= batch.length ? fitting : batch.length
  }

  /**
   * A refused batch is sent again in halves, so that one bad start fails alone; so is one that waits in vain, and then that one start waits beside.
   * @param waits how many more may wait in vain
   */
  async #send(
    batch: readonly WaitingStart[],
    lockMs: number | undefined,
    waits: { left: number },
  ): Promise<void> {
    try {
      await this.#call(batch, this.#findWorker(batch.map(({ start }) => start)), lockMs)
    } catch (error) {
      if (lockMs !== undefined && isHeldUp(error)) await this.#takeApart(batch, waits)
      else if (batch.length === 1 || !isOnesFault(error)) for (const entry of batch) entry.reject(error)
      else for (const half of halvesOf(batch)) await this.#send(half, lockMs, waits)
    }
  }

  /** One of a batch waits in vain. Its pipelines go apart first: those of the others have their answers before it is found. */
  async #takeApart(batch: readonly WaitingStart[], waits: { left: number }): Promise<void> {
    if (batch.length === 1) this.#waitBeside(batch[0]!)
    else if (--waits.left < 0) this.#waiting.push(...batch)
    else {
      const pipelines = byPipeline(batch)
      const parts = pipelines.length > 1 ? pipelines : halvesOf(batch)
      const heldUp: Array<readonly WaitingStart[]> = []
      for (const part of parts)
        await this.#call(part, this.#findWorker(part.map(({ start }) => start)), partWaitMs).catch(
          async (error) => {
            if (isHeldUp(error)) heldUp.push(part)
            else await this.#send(part, partWaitMs, waits)
          },
        )
      for (const part of heldUp) await this.#takeApart(part, waits)
    }
  }

  /** Starts a batch, and answers those who wait for it. */
  async #call(
    batch: readonly WaitingStart[],
    worker: LocalWorker | undefined,
    lockMs: number | undefined,
  ): Promise<void> {
    const starts = batch.map((entry) => entry.start)
    const rows = await callStart(this.#parts, starts, worker, lockMs)
    const answers = answersOf(starts, rows, (index, runId) => {
      void conflictOf(this.#parts, starts[index]!, runId).then(batch[index]!.reject)
    })
    await addPauseWords(this.#parts.caller, starts, answers)
    batch.forEach((entry, index) => {
      const answer = answers[index]
      if (answer !== undefined) entry.resolve(answer)
    })
  }

  #waitBeside(waiting: WaitingStart): void {
    const key = keyOf(waiting.start)
    const beside = this.#beside.get(key)
    if (beside === undefined) this.#beside.set(key, { starts: [waiting], turns: 0, isAsking: false })
    else beside.starts.push(waiting)
    if (this.#askers < this.#askersMax) void this.#askInTurns()
  }

  /** One key after the other, for as long as any has none that asks for it. */
  async #askInTurns(): Promise<void> {
    this.#askers++
    for (;;) {
      const next = [...this.#beside].find(([, { isAsking }]) => !isAsking)
      if (next === undefined) break
      const [key, beside] = next
      beside.isAsking = true
      const isOver = await this.#ask(beside)
      beside.isAsking = false
      // Whoever has had a turn comes last.
      this.#beside.delete(key)
      if (isOver) this.#wait(beside.starts)
      else this.#beside.set(key, beside)
    }
    this.#askers--
  }

  /** One turn of the first of a key. True once it has its answer. */
  async #ask(beside: Beside): Promise<boolean> {
    const first = beside.starts[0]!
    try {
      await this.#call([first], undefined, turnMs)
    } catch (error) {
      if (isHeldUp(error) && ++beside.turns < turnsMax) return false
      first.reject(error)
    }
    beside.starts.shift()
    return true
  }
}

function keyOf({ row: { slug, tenant }, key }: PendingStart): string | symbol {
  return key === null || key === undefined ? Symbol(slug) : JSON.stringify([slug, tenant, key])
}

function halvesOf<T>(batch: readonly T[]): Array<readonly T[]> {
  const half = batch.length >> 1
  return [batch.slice(0, half), batch.slice(half)]
}

function byPipeline(batch: readonly WaitingStart[]): Array<readonly WaitingStart[]> {
  const parts = new Map<string, WaitingStart[]>()
  for (const waiting of batch) {
    const { slug } = waiting.start.row
    const part = parts.get(slug)
    if (part === undefined) parts.set(slug, [waiting])
    else part.push(waiting)
  }
  return [...parts.values()]
}

/** Whether a start itself may be what the database refused: what our functions raise, and values that it can't take. */
function isOnesFault(error: unknown): boolean {
  return /^(?:MR|22|23|54)/.test(sqlState(error) ?? '')
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof MillraceError && error.code === code
}

/**
 * One call. A lost answer is asked for again with the same ids, so that a start whose commit went through unseen is the same
 * start; a transaction that PostgreSQL undid for another's sake is repeated.
 */
async function callStart(
  { caller, via }: Pick<StartParts, 'caller' | 'via'>,
  starts: readonly PendingStart[],
  worker: LocalWorker | undefined,
  lockMs?: number,
): Promise<StartAnswerRow[]> {
  const handOver = worker?.reserve(starts.reduce((tasks, { entries }) => tasks + entries, 0))
  const rows = starts.map((start) => start.row)
  try {
    const answer = await retryTransaction(() =>
      startRuns(caller, rows, {
        via,
        handOver,
        wakeAlways: false,
        givenIds: starts.some((start) => start.givenId),
        lockMs,
      }),
    )
    if (handOver !== undefined) worker?.take(handOver.room, handedOver(starts, answer))
    return answer
  } catch (error) {
    const isLost = hasCode(error, 'database_unreachable')
    if (handOver !== undefined && isLost) worker?.lostAnswer(handOver.room)
    else if (handOver !== undefined) worker?.take(handOver.room, [])
    if (!isLost) throw error
    return await retryWhen(mayAskAgain, () => startRuns(caller, rows, { via, wakeAlways: true }), {
      attempts: 4,
      delayMs: 200,
    })
  }
}

function handedOver(starts: readonly PendingStart[], rows: readonly StartAnswerRow[]) {
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
function answersOf(
  starts: readonly PendingStart[],
  rows: readonly StartAnswerRow[],
  refuse: (index: number, runId: string | null) => void,
): StartAnswer[] {
  const refused = new Map(rows.filter((row) => row.reason !== 'leased').map((row) => [row.run_id, row]))
  return starts.map(({ row }, index) => {
    const answer = refused.get(row.id)
    if (answer === undefined) return { created: true, run: { id: row.id } }
    if (answer.reason === 'paused') return { created: false, reason: 'paused', run: null, why: '' }
    if (answer.reason === 'conflict') {
      refuse(index, answer.live_run_id)
      return undefined as never
    }
    const { reason, rule, passes_at: passesAt } = answer
    if (reason === 'limit') return { created: false, reason, run: null, rule: rule ?? '', passesAt }
    const stands = { created: false, reason: reason as 'live', run: { id: answer.live_run_id! } } as const
    return rule === null ? stands : { ...stands, rule }
  })
}

/** @throws MillraceError idempotency_conflict */
async function answersOrThrow(
  parts: StartParts,
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
async function addPauseWords(
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

function conflictOf(
  { caller, sealed }: StartParts,
  { row, clearInput }: PendingStart,
  runId: string | null,
): Promise<MillraceError> {
  const { slug, idempotencyKey } = row
  return conflictError(caller, sealed, { slug, idempotencyKey, clearInput }, runId)
}
