// Stores the results of durable operations, in batches that form by themselves: what came while one was under way goes with the next.
import type pg from 'pg'
import { type Caller, clientCaller } from '../db/call.ts'
import {
  type CheckpointAnswerRow,
  type CheckpointRow,
  forgetErrors,
  readCheckpoints,
  writeCheckpoints,
  writeStepCheckpoints,
} from '../db/checkpoints.ts'
import { isConnectionLoss, translateDatabaseError } from '../db/database-error.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { retryTransaction } from '../db/transaction.ts'
import { pause } from './connections.ts'
import { isBlocked, isPassing } from './flush.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import { readSecrets } from './read-secrets.ts'
import type { StoredResult } from './replay.ts'

const rowsPerCall = 1_000
const bytesPerCall = 8_388_608
/** Between two calls to a database that is away. */
const awayMs = 200

/** A result on its way; value and error are JSON text, one of them null. */
export interface Result {
  readonly name: string
  readonly place: number
  readonly kind: string
  readonly value: string | null
  readonly error: string | null
}

interface Entry {
  readonly task: HeldTask
  readonly row: CheckpointRow
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
  /** Errors are forgotten over this one. */
  readonly writes: Caller
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
      const { name, place, kind, value, error } = result
      const row = {
        taskId,
        stepId: step.id,
        attempt,
        name,
        place,
        kind,
        value: value === null ? null : sealed(task, name, value),
        error: error === null ? null : sealedError(task, name, error),
      }
      this.#waiting.push({ task, row, stored: resolve, failed: reject })
      if (this.#busy) return
      this.#busy = true
      setImmediate(() => void this.#run())
    })
  }

  /** What an attempt begins with: all that is stored for its step, as it came along with the task, or read now. */
  async begin(task: HeldTask): Promise<readonly StoredResult[]> {
    return task.checkpoints === undefined ? this.#read(task) : opened(task, task.checkpoints)
  }

  /** All that is stored for a step, in the order in which it was. A database that is away is waited for. */
  async #read(task: HeldTask): Promise<readonly StoredResult[]> {
    const { run, step, item, abort } = task
    const read = () => readCheckpoints(this.#parts.caller, { runId: run.id, step: step.name, item })
    return opened(task, await this.#surely(read, abort.signal))
  }

  /** Errors that an attempt had got over, and has failed from now, are stored no more. */
  async forget({ taskId, step, attempt, abort }: HeldTask, names: readonly string[]): Promise<void> {
    const { writes, key, failed } = this.#parts
    const row = { taskId, stepId: step.id, attempt, names }
    // The attempt fails all the same: at worst the next one is given the error once more.
    await this.#surely(() => forgetErrors(writes, key, row), abort.signal).catch(failed)
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
  async #write(rows: readonly CheckpointRow[], inOneRow: boolean): Promise<CheckpointAnswerRow[]> {
    const { pool, prepare, key } = this.#parts
    const client = this.#client ?? (await connect(pool))
    this.#client = client
    try {
      const caller = clientCaller(client, prepare)
      if (!inOneRow) return await writeCheckpoints(caller, key, rows)
      const [first] = rows as [CheckpointRow]
      const names = rows.map(({ name }) => name)
      const values = rows.map(({ value }) => value)
      const refused = await writeStepCheckpoints(caller, key, { ...first, names, values })
      if (refused === null) return []
      return names.map((name) => ({ kind: refused, task_id: first.taskId, name }))
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
    const inOneRow = shareRow(held)
    const answers = await this.#surely(() => this.#write(rows, inOneRow))
    if (answers.length === 0) {
      for (const { stored } of held) stored()
      return
    }
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
      const results = await this.#read(task)
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

/**
 * Whether they are all of one attempt, kind and place: such results lie in one row. An error lies alone, so that it can be forgotten, and what
 * is encrypted, so that it can be encrypted anew.
 */
function shareRow(entries: readonly Entry[]): boolean {
  const [{ task, row }] = entries as [Entry]
  if (row.kind === 'http') return false
  if (entries.length === 1) return true
  if (task.run.cipher !== undefined) return false
  return entries.every(
    (other) =>
      other.task === task &&
      other.row.kind === row.kind &&
      other.row.place === row.place &&
      other.row.error === null,
  )
}

function opened(
  { run: { cipher }, step, item }: HeldTask,
  stored: readonly StoredResult[],
): readonly StoredResult[] {
  if (cipher === undefined) return stored
  return stored.map((row) =>
    row.error === null
      ? { ...row, value: cipher.openCheckpoint(step.name, item, row.name, row.value) }
      : { ...row, error: cipher.openKeptError(step.name, item, row.name, row.error) },
  )
}

function sealed({ run, step, item }: HeldTask, name: string, text: string): string {
  return run.cipher?.sealCheckpoint(step.name, item, name, text) ?? readSecrets.redactJson(text)
}

function sealedError({ run, step, item }: HeldTask, name: string, text: string): string {
  return run.cipher?.sealKeptError(step.name, item, name, text) ?? readSecrets.redactJson(text)
}

function textOf({ value, error }: CheckpointRow): string {
  return value ?? error ?? ''
}

function takeBatch(waiting: Entry[]): Entry[] {
  let bytes = 0
  let count = 0
  while (count < waiting.length && count < rowsPerCall && (count === 0 || bytes < bytesPerCall)) {
    bytes += textOf(waiting[count]!.row).length
    count++
  }
  return waiting.splice(0, count)
}
