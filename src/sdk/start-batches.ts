// Owns the batches in which single starts share commits, and those that wait beside them.
import { MillraceError } from '../core/errors.ts'
import { isHeldUp, sqlState } from '../db/database-error.ts'
import type { LocalWorker } from './local-worker.ts'
import type { PendingStart, StartAnswer } from './start.ts'
import {
  addPauseWords,
  answersOf,
  callStart,
  conflictOf,
  type StartParts,
  startsPerCall,
} from './start-call.ts'

interface WaitingStart {
  readonly start: PendingStart
  readonly resolve: (answer: StartAnswer) => void
  readonly reject: (error: unknown) => void
  /** When it came, by a clock that is never set. */
  readonly since: number
}

/** For so long a batch waits for what somebody's open transaction holds, such as a run key; and then each part of it. */
const batchWaitMs = 200
const partWaitMs = 50
/** So many parts of one batch may wait in vain, which is enough to find one start among all; the others go with a later batch. */
const waitsMax = 12
/** For so long one that waits beside the batches does so at a time; then another key has its turn. */
const turnMs = 1_000
/** After so long a start is given up at the next turn of its key, as a statement would be. */
const waitMaxMs = 60_000

/** Starts of one pipeline and run key that wait beside the batches: the first of them asks, and with its answer the others go with a batch again. */
interface Beside {
  starts: WaitingStart[]
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
  readonly #monotonic: () => number
  #waiting: WaitingStart[] = []
  #busy = false
  /** In the order of their turns. Those without a run key are each by itself. */
  readonly #beside = new Map<string | symbol, Beside>()
  #askers = 0

  /**
   * @param connections how many there are; with one alone, starts wait in their batch
   * @param monotonic milliseconds of a clock that is never set, to tell how long a start has waited
   */
  constructor(
    parts: StartParts,
    findWorker: (starts: readonly PendingStart[]) => LocalWorker | undefined,
    connections: number,
    monotonic: () => number = () => performance.now(),
  ) {
    this.#parts = parts
    this.#findWorker = findWorker
    this.#askersMax = connections >> 1
    this.#monotonic = monotonic
  }

  start(start: PendingStart): Promise<StartAnswer> {
    return new Promise((resolve, reject) => {
      const waiting = { start, resolve, reject, since: this.#monotonic() }
      const beside = this.#beside.size === 0 ? undefined : this.#beside.get(keyOf(start))
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
    if (beside === undefined) this.#beside.set(key, { starts: [waiting], isAsking: false })
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

  /** One turn of the first of a key. True once it has its answer, so that the others may go with a batch again. */
  async #ask(beside: Beside): Promise<boolean> {
    const first = beside.starts[0]!
    try {
      await this.#call([first], undefined, turnMs)
    } catch (error) {
      if (isHeldUp(error)) return this.#giveUpOld(beside, error)
      first.reject(error)
    }
    beside.starts.shift()
    return true
  }

  /** Each has its own time: those whose it is over are given up together, the others wait on. True where none is left. */
  #giveUpOld(beside: Beside, cause: unknown): boolean {
    const now = this.#monotonic()
    const left: WaitingStart[] = []
    for (const waiting of beside.starts) {
      if (now - waiting.since < waitMaxMs) left.push(waiting)
      else waiting.reject(givenUp(waiting.start, now - waiting.since, cause))
    }
    beside.starts = left
    return left.length === 0
  }
}

function keyOf({ row: { slug, tenant }, keyText }: PendingStart): string | symbol {
  return keyText === null ? Symbol(slug) : JSON.stringify([slug, tenant, keyText])
}

function givenUp({ row: { slug }, keyText }: PendingStart, waitedMs: number, cause: unknown): MillraceError {
  const values = keyText === null ? [] : (JSON.parse(keyText) as unknown[])
  const key = values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(', ')
  const which = keyText === null ? '' : ` with run key '${key}'`
  const message = `The start of '${slug}'${which} was given up: it waited for ${Math.floor(waitedMs / 1_000)} seconds for what somebody's open transaction holds.`
  return new MillraceError('start_held_up', message, {
    fields: { pipeline: slug, ...(keyText !== null && { key }) },
    hint: "Find the transaction with: select pid, state, query, xact_start from pg_stat_activity where state like 'idle in transaction%'",
    cause,
  })
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
