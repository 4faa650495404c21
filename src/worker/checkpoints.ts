// Stores the results of durable operations, in batches that form by themselves: what came while one was under way goes with the next.
import type pg from 'pg'
import { type Caller, clientCaller } from '../db/call.ts'
import {
  type CheckpointAnswerRow,
  type CheckpointRow,
  readCheckpoints,
  writeCheckpoints,
} from '../db/checkpoints.ts'
import { isConnectionLoss, translateDatabaseError } from '../db/database-error.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { retryTransaction } from '../db/transaction.ts'
import { pause } from './connections.ts'
import { isBlocked, isPassing } from './flush.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import type { StoredResult } from './replay.ts'

const rowsPerCall = 1_000
const bytesPerCall = 8_388_608
/** Between two calls to a database that is away. */
const awayMs = 200

/** A result on its way; value is JSON text. */
export interface Result {
  readonly name: string
  readonly place: number
  readonly kind: string
  readonly value: string
}

interface Entry {
  readonly task: HeldTask
  readonly row: CheckpointRow & { readonly value: string }
  /** With the value that is stored, where that is not the one given. */
  readonly stored: (kept?: StoredResult) => void
  readonly failed: (error: unknown) => void
}

export interface CheckpointParts {
  /** Results are written over a connection of this one. */
  readonly pool: pg.Pool
  /** Whether statements are prepared by name. */
  readonly prepare: boolean
  /** Results are read by this one, also while others are written. */
  readonly caller: Caller
  readonly key: WorkerKey
  readonly random: () => number
  /** A connection was lost, or the database can't be used. */
  readonly failed: (error: unknown) => void
}

export class Checkpoints {
  readonly #parts: CheckpointParts
  #waiting: Entry[] = []
  #client: pg.PoolClient | undefined
  #busy = false

  constructor(parts: CheckpointParts) {
    this.#parts = parts
  }

  /** Stores a result; resolves once it is committed, to the one stored before under this name, if there is one. */
  write(task: HeldTask, result: Result): Promise<StoredResult | undefined> {
    return new Promise((resolve, reject) => {
      const { taskId, step, attempt } = task
      const row = { taskId, stepId: step.id, attempt, ...result, error: null }
      this.#waiting.push({ task, row, stored: resolve, failed: reject })
      if (this.#busy) return
      this.#busy = true
      setImmediate(() => void this.#run())
    })
  }

  /** All that is stored for a step, in the order in which it was. A database that is away is waited for. */
  read({ run, step, item, abort }: HeldTask): Promise<readonly StoredResult[]> {
    return this.#surely(
      () => readCheckpoints(this.#parts.caller, { runId: run.id, step: step.name, item }),
      abort.signal,
    )
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#inParts(takeBatch(this.#waiting))
      // What the answers set going joins the next batch.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#client?.release()
    this.#client = undefined
    this.#busy = false
  }

  /** Over one connection for as long as results come: asking the pool for it each time would cost a handler as much as the statement does. */
  async #write(rows: readonly CheckpointRow[]): Promise<CheckpointAnswerRow[]> {
    const { pool, prepare, key } = this.#parts
    const client = this.#client ?? (await connect(pool))
    this.#client = client
    try {
      return await writeCheckpoints(clientCaller(client, prepare), key, rows)
    } catch (error) {
      if (isPassing(error) || isConnectionLoss(error)) {
        client.release(true)
        this.#client = undefined
      }
      throw error
    }
  }

  /** A refused batch is sent again in halves: the one bad value fails its own operation. */
  async #inParts(batch: readonly Entry[]): Promise<void> {
    try {
      await this.#send(batch)
    } catch (error) {
      if (batch.length === 1) {
        batch[0]!.failed(error)
        return
      }
      await this.#inParts(batch.slice(0, batch.length >> 1))
      await this.#inParts(batch.slice(batch.length >> 1))
    }
  }

  async #send(batch: readonly Entry[]): Promise<void> {
    const held = batch.filter(({ task }) => !task.lost)
    for (const { task, failed } of batch) if (task.lost) failed(task.abort.reason)
    if (held.length === 0) return
    const rows = held.map(({ row }) => row)
    const answers = await this.#surely(() => this.#write(rows))
    const lost = new Set(answers.filter(({ kind }) => kind === 'lost').map((answer) => answer.task_id))
    const kept = new Set(
      answers.filter(({ kind }) => kind === 'kept').map((answer) => `${answer.task_id} ${answer.name}`),
    )
    for (const entry of held) {
      if (lost.has(entry.task.taskId)) entry.failed(new AttemptAborted('the lease was lost'))
      else if (kept.has(`${entry.task.taskId} ${entry.row.name}`)) void this.#tellKept(entry)
      else entry.stored()
    }
  }

  /** An answer was lost and sent again: what is stored is what counts. */
  async #tellKept({ task, row, stored, failed }: Entry): Promise<void> {
    try {
      const results = await this.read(task)
      stored(results.find(({ name }) => name === row.name))
    } catch (error) {
      failed(error)
    }
  }

  /** Repeats a call until the database has answered it. */
  async #surely<T>(call: () => Promise<T>, stopped?: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await retryTransaction(call)
      } catch (error) {
        if (stopped?.aborted || (!isPassing(error) && !isBlocked(error))) throw error
        this.#parts.failed(error)
        await pause(awayMs * (0.5 + this.#parts.random()), stopped ?? never)
      }
    }
  }
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw translateDatabaseError(error, 'the database of the worker')
  }
}

const never = new AbortController().signal

function takeBatch(waiting: Entry[]): Entry[] {
  let bytes = 0
  let count = 0
  while (count < waiting.length && count < rowsPerCall && (count === 0 || bytes < bytesPerCall)) {
    bytes += waiting[count]!.row.value.length
    count++
  }
  return waiting.splice(0, count)
}
