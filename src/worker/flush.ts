// Sends outcomes to the database, in batches that form by themselves: whatever finished while the previous one was under way goes next.
import { setImmediate as turn } from 'node:timers/promises'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { isConnectionLoss, isHeldUp, sqlState } from '../db/database-error.ts'
import {
  type CompleteAnswerRow,
  type CompletedRow,
  completeTasks,
  type FailAnswerRow,
  type FailedRow,
  failTasks,
  type WorkerKey,
} from '../db/tasks.ts'
import { retryTransaction } from '../db/transaction.ts'
import { type ParkAnswerRow, type ParkedRow, parkTasks } from '../db/waits.ts'
import { type ContinuedRow, continueRun } from '../db/continued-runs.ts'
import type { HeldTask } from './held-task.ts'

const rowsPerCall = 1_000
const bytesPerCall = 8_388_608
/** Fewer are not divided: what a call costs by itself would be paid twice. */
const rowsUndivided = 64

/** A room in which not even what follows a task comes back with the answer. */
const nothingBack = -1

const nothing = () => {}

interface Completion {
  readonly task: HeldTask
  readonly row: CompletedRow
}

interface Failure {
  readonly task: HeldTask
  readonly row: FailedRow
}

interface Parking {
  readonly task: HeldTask
  readonly row: ParkedRow
}

interface Continuation {
  readonly task: HeldTask
  readonly row: ContinuedRow
}

/** What a parking has set going. */
export interface StartedByParking {
  /** The runs that were called one by one. */
  readonly called: readonly string[]
  /** Whether any run was called. */
  readonly any: boolean
}

export interface FlushEvents {
  /** Sets slots aside for what these may bring beyond one task each; answers with how many. */
  reserve(tasks: readonly HeldTask[]): number
  /** Sets slots aside for so many tasks of called runs, all or none; answers with how many, or null where it takes none of them. */
  reserveAll(wanted: number): number | null
  /** The database has refused the call for which so many slots were set aside. */
  giveBack(reserved: number): void
  /** Whatever becomes of the call now, it may have brought so many tasks before, in an answer that was lost. */
  doubt(tasks: number): void
  /** How many tasks the worker holds, those whose outcomes are on their way among them. */
  held(): number
  /** Whether somebody waits for the end of the task's run: asked as late as can be, since the interest often comes in between. */
  watched(task: HeldTask): boolean
  /** Whether a step that parked here waits for the task's run. */
  called(task: HeldTask): boolean
  /** Goes on with what came next, and gives the slots back that were set aside. */
  completed(tasks: readonly HeldTask[], answers: readonly CompleteAnswerRow[], reserved: number): void
  failed(tasks: readonly HeldTask[], answers: readonly FailAnswerRow[]): void
  /** Begins called runs that came along, and gives the slots back that were set aside. */
  parked(
    tasks: readonly HeldTask[],
    answers: readonly ParkAnswerRow[],
    started: StartedByParking,
    reserved: number,
  ): void
  /** Their runs have ended, and others go on in their place. */
  continued(tasks: readonly HeldTask[]): void
  /** A completion that the database refuses by itself, such as a value that it can't keep: the step fails instead. */
  refused(task: HeldTask, error: unknown): void
  /** An answer could not be worked off: what it brought is to be asked for. */
  broken(error: unknown): void
  /** The connection was lost, and nobody knows whether the batch was recorded: it is sent again, and the worker asks what it holds. */
  uncertain(error: unknown): Promise<void>
}

export class Flush {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #events: FlushEvents
  #completions: Completion[] = []
  /** Those of batches: as one slot stands for all of a batch, what comes after each is not handed over. */
  #batched: Completion[] = []
  #failures: Failure[] = []
  #parkings: Parking[] = []
  #continuations: Continuation[] = []
  #busy = false
  /** What is to be done with the last answer. */
  #answered = nothing

  constructor(caller: Caller, worker: WorkerKey, events: FlushEvents) {
    this.#caller = caller
    this.#worker = worker
    this.#events = events
  }

  /** Whether an outcome is on its way. */
  get busy(): boolean {
    return this.#busy
  }

  complete(task: HeldTask, row: CompletedRow): void {
    const waiting = task.batch === undefined ? this.#completions : this.#batched
    waiting.push({ task, row })
    this.#wake()
  }

  fail(task: HeldTask, row: FailedRow): void {
    this.#failures.push({ task, row })
    this.#wake()
  }

  park(task: HeldTask, row: ParkedRow): void {
    this.#parkings.push({ task, row })
    this.#wake()
  }

  continue(task: HeldTask, row: ContinuedRow): void {
    this.#continuations.push({ task, row })
    this.#wake()
  }

  get #isWaiting(): boolean {
    return (
      this.#completions.length > 0 ||
      this.#batched.length > 0 ||
      this.#failures.length > 0 ||
      this.#parkings.length > 0 ||
      this.#continuations.length > 0
    )
  }

  #wake(): void {
    if (this.#busy) return
    this.#busy = true
    // After the handlers that are ready to finish in this turn have done so.
    setImmediate(() => void this.#run())
  }

  /**
   * One call after the other. An answer is worked off while the next call is on its way: so the database and this process work at the
   * same time. Half of what is held goes at most, or there would be no next call until the answer had been worked off.
   */
  async #run(): Promise<void> {
    while (this.#isWaiting) {
      const most = Math.max(rowsUndivided, Math.ceil(this.#events.held() / 2))
      const completions = takeBatch(this.#completions, Math.min(rowsPerCall, most), ({ row }) => row.output)
      const batched = takeBatch(this.#batched, rowsPerCall, ({ row }) => row.output)
      const failures = takeBatch(this.#failures, rowsPerCall, ({ row }) => row.error)
      const parkings = this.#parkings.splice(0, rowsPerCall)
      if (completions.length > 0) await this.#inParts(completions, (batch) => this.#sendCompletions(batch))
      if (batched.length > 0) await this.#inParts(batched, (batch) => this.#sendBatched(batch))
      if (failures.length > 0) await this.#inParts(failures, (batch) => this.#sendFailures(batch))
      if (parkings.length > 0) await this.#inParts(parkings, (batch) => this.#sendParkings(batch))
      // One by one: of each the end and the start are one transaction.
      for (const continuation of this.#continuations.splice(0))
        await this.#inParts([continuation], (batch) => this.#sendContinuation(batch[0]!))
      if (this.#isWaiting) continue
      this.#workOff()
      // What the answers set going may finish at once: let it join the next batch.
      await turn()
    }
    this.#busy = false
  }

  /** Does what is to be done with the last answer. */
  #workOff(): void {
    const workOff = this.#answered
    this.#answered = nothing
    try {
      workOff()
    } catch (error) {
      // It is told, and costs the outcomes behind it nothing.
      this.#events.broken(error)
    }
  }

  /** A refused batch is sent again in halves: the one bad value fails its own step, never its neighbours. */
  async #inParts<Entry extends { readonly task: HeldTask }>(
    batch: readonly Entry[],
    send: (batch: readonly Entry[]) => Promise<() => void>,
  ): Promise<void> {
    const sending = send(batch)
    // It may be refused before it is awaited.
    sending.catch(nothing)
    if (this.#answered !== nothing) {
      // By then the call has left this process. Each answer has its turn: the next call may wait for somebody's lock.
      await turn()
      this.#workOff()
    }
    try {
      this.#answered = await sending
    } catch (error) {
      if (batch.length === 1) {
        this.#events.refused(batch[0]!.task, error)
        return
      }
      await this.#inParts(batch.slice(0, batch.length >> 1), send)
      await this.#inParts(batch.slice(batch.length >> 1), send)
    }
  }

  async #sendCompletions(batch: readonly Completion[]): Promise<() => void> {
    const tasks = batch.map(({ task }) => task)
    const rows = batch.map(({ task, row }) => (this.#events.watched(task) ? { ...row, watched: true } : row))
    // Set aside until the answer is worked off: whatever else looks for free slots meanwhile is promised others.
    const reserved = this.#events.reserve(tasks)
    const leastUrgent = tasks.reduce((least, task) => Math.max(least, task.priority), 1)
    const wakes = tasks.some((task) => this.#events.called(task))
    const options = { room: reserved, leastUrgent, transactional: false, wakes }
    return this.#bringing(
      tasks,
      reserved,
      () => completeTasks(this.#caller, this.#worker, rows, options),
      (answers) => this.#events.completed(tasks, answers, reserved),
    )
  }

  async #sendBatched(batch: readonly Completion[]): Promise<() => void> {
    const tasks = batch.map(({ task }) => task)
    const rows = batch.map(({ task, row }) => (this.#events.watched(task) ? { ...row, watched: true } : row))
    const options = { room: nothingBack, leastUrgent: 1, transactional: false, wakes: false }
    const answers = await this.#surely(() => completeTasks(this.#caller, this.#worker, rows, options))
    return () => this.#events.completed(tasks, answers, 0)
  }

  /** A call whose answer may bring tasks: one for each of these, and as many as slots were set aside. */
  async #bringing<T>(
    tasks: readonly HeldTask[],
    reserved: number,
    call: () => Promise<T>,
    answered: (answer: T) => void,
  ): Promise<() => void> {
    let isLost = false
    try {
      const answer = await this.#surely(call, () => {
        isLost = true
      })
      return () => {
        // What an answer brought that was lost is not in the one that came.
        if (isLost) this.#events.doubt(tasks.length + reserved)
        answered(answer)
      }
    } catch (error) {
      this.#events.giveBack(reserved)
      if (isLost) this.#events.doubt(tasks.length + reserved)
      throw error
    }
  }

  async #sendFailures(batch: readonly Failure[]): Promise<() => void> {
    const tasks = batch.map(({ task }) => task)
    const rows = batch.map(({ row }) => row)
    const answers = await this.#surely(() => failTasks(this.#caller, this.#worker, rows))
    return () => this.#events.failed(tasks, answers)
  }

  async #sendParkings(batch: readonly Parking[]): Promise<() => void> {
    const tasks = batch.map(({ task }) => task)
    const rows = batch.map(({ row }) => row)
    const calls = rows.flatMap(({ waits }) => waits.filter((wait) => wait.kind === 'call'))
    const called = calls.flatMap(({ start }) => (start === undefined ? [] : [start.id]))
    const started = { called, any: calls.length > 0 }
    const runs = calls.reduce((sum, { children }) => sum + (children?.length ?? 1), 0)
    const room = started.any ? this.#events.reserveAll(Math.max(0, runs - tasks.length)) : null
    return this.#bringing(
      tasks,
      room ?? 0,
      () => parkTasks(this.#caller, this.#worker, rows, room),
      (answers) => this.#events.parked(tasks, answers, started, room ?? 0),
    )
  }

  async #sendContinuation({ task, row }: Continuation): Promise<() => void> {
    await this.#surely(() => continueRun(this.#caller, this.#worker, row))
    return () => this.#events.continued([task])
  }

  /** Repeats a call until the database has answered it: a completion is never given up for a lost connection. */
  async #surely<T>(call: () => Promise<T>, lost = nothing): Promise<T> {
    for (;;) {
      try {
        return await retryTransaction(call)
      } catch (error) {
        if (!isPassing(error) && !isBlocked(error)) throw error
        if (isConnectionLost(error)) lost()
        await this.#events.uncertain(error)
      }
    }
  }
}

/** Somebody held a lock for longer than a statement may take: nothing was recorded, and a finished step is not failed for it. */
export function isBlocked(error: unknown): boolean {
  return sqlState(error) === '57014' || isHeldUp(error)
}

/** Whether an answer may have been lost, so that nobody knows what the database has done. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof MillraceError ? error.code === 'database_unreachable' : isConnectionLoss(error)
}

/** Whether the database, and not the batch, is the reason: it is away, or out of disk, memory or connections. */
export function isPassing(error: unknown): boolean {
  if (error instanceof MillraceError && passingCodes.has(error.code)) return true
  return sqlState(error)?.startsWith('53') ?? false
}

const passingCodes = new Set<string>([
  'database_unreachable',
  'database_full',
  'database_read_only',
  'database_login_refused',
])

function takeBatch<T>(waiting: T[], rowsMost: number, text: (entry: T) => string | null): T[] {
  let bytes = 0
  let count = 0
  while (count < waiting.length && count < rowsMost && (count === 0 || bytes < bytesPerCall)) {
    bytes += text(waiting[count]!)?.length ?? 0
    count++
  }
  return waiting.splice(0, count)
}
