// Sends outcomes to the database, in batches that form by themselves: whatever finished while the previous one was under way goes next.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { sqlState } from '../db/database-error.ts'
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
import type { HeldTask } from './held-task.ts'

const rowsPerCall = 1_000
const bytesPerCall = 8_388_608

interface Completion {
  readonly task: HeldTask
  readonly row: CompletedRow
}

interface Failure {
  readonly task: HeldTask
  readonly row: FailedRow
}

export interface FlushEvents {
  /** How many tasks can be taken beyond those that finish. */
  room(): number
  /** Whether somebody waits for the end of the task's run: asked as late as can be, since the interest often comes in between. */
  watched(task: HeldTask): boolean
  completed(tasks: readonly HeldTask[], answers: readonly CompleteAnswerRow[]): void
  failed(tasks: readonly HeldTask[], answers: readonly FailAnswerRow[]): void
  /** A completion that the database refuses by itself, such as a value that it can't keep: the step fails instead. */
  refused(task: HeldTask, error: unknown): void
  /** The connection was lost, and nobody knows whether the batch was recorded: it is sent again, and the worker asks what it holds. */
  uncertain(error: unknown): Promise<void>
}

export class Flush {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #events: FlushEvents
  #completions: Completion[] = []
  #failures: Failure[] = []
  #busy = false

  constructor(caller: Caller, worker: WorkerKey, events: FlushEvents) {
    this.#caller = caller
    this.#worker = worker
    this.#events = events
  }

  complete(task: HeldTask, row: CompletedRow): void {
    this.#completions.push({ task, row })
    this.#wake()
  }

  fail(task: HeldTask, row: FailedRow): void {
    this.#failures.push({ task, row })
    this.#wake()
  }

  #wake(): void {
    if (this.#busy) return
    this.#busy = true
    // After the handlers that are ready to finish in this turn have done so.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#completions.length > 0 || this.#failures.length > 0) {
      const completions = takeBatch(this.#completions, ({ row }) => row.output)
      if (completions.length > 0) await this.#sendCompletions(completions)
      const failures = takeBatch(this.#failures, ({ row }) => row.error)
      if (failures.length > 0) await this.#sendFailures(failures)
      // What the answers set going may finish at once: let it join the next batch.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#busy = false
  }

  /** A refused batch is sent again in halves: the one bad value fails its own step, never its neighbours. */
  async #sendCompletions(batch: readonly Completion[]): Promise<void> {
    const tasks = batch.map(({ task }) => task)
    const leastUrgent = tasks.reduce((least, task) => Math.max(least, task.priority), 1)
    try {
      const rows = batch.map(({ task, row }) =>
        this.#events.watched(task) ? { ...row, watched: true } : row,
      )
      const answers = await this.#surely(() =>
        completeTasks(this.#caller, this.#worker, rows, {
          room: this.#events.room(),
          leastUrgent,
          transactional: false,
        }),
      )
      this.#events.completed(tasks, answers)
    } catch (error) {
      if (batch.length === 1) {
        this.#events.refused(tasks[0]!, error)
        return
      }
      await this.#sendCompletions(batch.slice(0, batch.length >> 1))
      await this.#sendCompletions(batch.slice(batch.length >> 1))
    }
  }

  async #sendFailures(batch: readonly Failure[]): Promise<void> {
    const tasks = batch.map(({ task }) => task)
    try {
      const rows = batch.map(({ row }) => row)
      const answers = await this.#surely(() => failTasks(this.#caller, this.#worker, rows))
      this.#events.failed(tasks, answers)
    } catch (error) {
      if (batch.length === 1) {
        this.#events.refused(tasks[0]!, error)
        return
      }
      await this.#sendFailures(batch.slice(0, batch.length >> 1))
      await this.#sendFailures(batch.slice(batch.length >> 1))
    }
  }

  /** Repeats a call until the database has answered it: a completion is never given up for a lost connection. */
  async #surely<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await retryTransaction(call)
      } catch (error) {
        if (!isPassing(error) && !isBlocked(error)) throw error
        await this.#events.uncertain(error)
      }
    }
  }
}

/** Somebody held a lock for longer than a statement may take: nothing was recorded, and a finished step is not failed for it. */
function isBlocked(error: unknown): boolean {
  const state = sqlState(error)
  return state === '57014' || state === '55P03'
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

function takeBatch<T>(waiting: T[], text: (entry: T) => string | null): T[] {
  let bytes = 0
  let count = 0
  while (count < waiting.length && count < rowsPerCall && (count === 0 || bytes < bytesPerCall)) {
    bytes += text(waiting[count]!)?.length ?? 0
    count++
  }
  return waiting.splice(0, count)
}
