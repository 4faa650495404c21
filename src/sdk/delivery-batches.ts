// Owns the batches in which deliveries reach the database: what arrives while a call is on its way goes with the next one. There is no timer.
import { MillraceError } from '../core/errors.ts'
import { storableText } from '../core/short-text.ts'
import type { Caller } from '../db/call.ts'
import { isHeldUp, sqlState } from '../db/database-error.ts'
import { type DeliveryAnswerRow, type DeliveryRow, receiveDeliveries } from '../db/deliveries.ts'
import { isUndoneByConflict, retryWhen } from '../db/transaction.ts'
import type { PendingStart } from './start.ts'

/** A delivery on its way to the database. */
export interface JudgedDelivery {
  readonly row: DeliveryRow
  /** As it came; null where it is refused, replayed or sealed. */
  readonly body: Uint8Array | null
  readonly starts: readonly PendingStart[]
  /** Whether the message of an error may be kept, which may quote what was sent; true by default. */
  readonly tells?: boolean
}

/** What became of a delivery. */
export interface ReceivedAnswer extends DeliveryAnswerRow {
  /** Of one that was kept as failed without a start: what stands with it. */
  readonly problem: string | null
}

interface Waiting extends JudgedDelivery {
  readonly resolve: (answer: ReceivedAnswer) => void
  readonly reject: (error: unknown) => void
}

const deliveriesPerCall = 200
const bytesPerCall = 8_388_608
/** So many of a pipeline are waited for, half a second each. */
const heldUpMax = 2

export class DeliveryBatches {
  readonly #caller: () => Promise<Caller>
  #waiting: Waiting[] = []
  #busy = false

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** Kept and, where it is accepted, started: both are committed then. @throws MillraceError where the database can't be reached, or refuses it */
  receive(delivery: JudgedDelivery): Promise<ReceivedAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...delivery, resolve, reject })
      if (!this.#busy) {
        this.#busy = true
        setImmediate(() => void this.#flush())
      }
    })
  }

  async #flush(): Promise<void> {
    const batch = this.#take()
    try {
      await this.#send(await this.#caller(), batch)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    if (this.#waiting.length > 0) setImmediate(() => void this.#flush())
    else this.#busy = false
  }

  /** One delivery at least, and no two that are the same: the second of them is to find the first. */
  #take(): Waiting[] {
    const [batch, left, ids]: [Waiting[], Waiting[], Set<string>] = [[], [], new Set()]
    let bytes = 0
    for (const waiting of this.#waiting) {
      const { row, body, starts } = waiting
      const id = idOf(row)
      const size = (body?.byteLength ?? 0) + starts.reduce((sum, start) => sum + start.row.input.length, 0)
      const fits = batch.length === 0 || (batch.length < deliveriesPerCall && bytes + size <= bytesPerCall)
      if (!fits || ids.has(id)) {
        left.push(waiting)
        continue
      }
      ids.add(id)
      bytes += size
      batch.push(waiting)
    }
    this.#waiting = left
    return batch
  }

  /**
   * A refused batch is sent again in halves, so that one bad delivery fails alone: then it is kept as failed, and starts nothing. Where one waits in vain
   * for what an open transaction holds, each goes alone. Answers whether that is so of a single one.
   */
  async #send(caller: Caller, batch: readonly Waiting[]): Promise<boolean> {
    try {
      const answers = await call(caller, batch)
      batch.forEach(({ resolve, row: { problem } }, index) => resolve({ ...answers[index]!, problem }))
      return false
    } catch (error) {
      const isHeld = isHeldUp(error)
      const [only] = batch
      if (!isHeld && !isOnesFault(error)) for (const { reject } of batch) reject(error)
      else if (batch.length > 1)
        await (isHeld ? this.#sendApart(caller, batch) : this.#sendHalves(caller, batch))
      else if (only !== undefined && only.starts.length > 0 && !isUnsealed(only, error)) {
        const row = isHeld ? heldUpRow(only.row) : failedRow(only.row, error, only.tells)
        await this.#send(caller, [{ ...only, row, starts: [] }])
      } else only?.reject(error)
      return isHeld
    }
  }

  async #sendHalves(caller: Caller, batch: readonly Waiting[]): Promise<void> {
    const half = batch.length >> 1
    await this.#send(caller, batch.slice(0, half))
    await this.#send(caller, batch.slice(half))
  }

  /** After a few of the same pipelines, their others are not tried: those of other pipelines wait behind them. */
  async #sendApart(caller: Caller, batch: readonly Waiting[]): Promise<void> {
    const heldUp = new Map<string, number>()
    for (const waiting of batch) {
      // Of those that start the same pipelines: which of them it is that is held up, nobody says.
      const slugs = JSON.stringify(waiting.starts.map(({ row }) => row.slug).toSorted())
      const before = heldUp.get(slugs) ?? 0
      if (before === heldUpMax)
        await this.#send(caller, [{ ...waiting, row: heldUpRow(waiting.row, true), starts: [] }])
      else if (await this.#send(caller, [waiting])) heldUp.set(slugs, before + 1)
    }
  }
}

/** Alike for what answers the same delivery: of one that its sender gave no id, the replays. What is refused has no part in that. */
function idOf({ id, webhook, state, provider_id, replay_of }: DeliveryRow): string {
  const known = provider_id ?? replay_of
  return state === 'refused' || known === null ? id : `${webhook} ${known}`
}

/** The row of a delivery that could not be worked off. */
export function failedRow(row: DeliveryRow, error: unknown, tells = true): DeliveryRow {
  const reason = error instanceof MillraceError ? error.code : 'map_failed'
  const message = error instanceof Error ? error.message : String(error)
  const problem = tells ? storableText(message, 2_000) : null
  return { ...row, state: 'failed', status: 500, reason, problem }
}

/** The row of a delivery whose sender is to come again, since somebody holds what its start needs. */
function heldUpRow(row: DeliveryRow, isUntried = false): DeliveryRow {
  const problem = isUntried
    ? 'Those before it waited for what an open transaction holds, and it starts the same pipelines.'
    : 'Its start waited for what an open transaction holds.'
  return { ...row, state: 'failed', status: 503, reason: 'held_up', problem }
}

/** Sent again where the answer was lost: under the same ids it is the same. */
function call(caller: Caller, batch: readonly JudgedDelivery[]): Promise<DeliveryAnswerRow[]> {
  const rows = batch.map(({ row }) => row)
  const bodies = batch.map(({ body }) => body)
  const starts = batch.flatMap(({ starts }, index) =>
    starts.map(({ row: { id, slug, version, input } }) => ({
      place: index + 1,
      runId: id,
      slug,
      version,
      input,
    })),
  )
  return retryWhen(
    (error) => isLost(error) || isUndoneByConflict(error),
    () => receiveDeliveries(caller, rows, bodies, starts),
    { attempts: 4, delayMs: 100 },
  )
}

function isLost(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'database_unreachable'
}

/** Whether a delivery itself may be what the database refused. */
function isOnesFault(error: unknown): boolean {
  return /^(?:MR|22|23|54)/.test(sqlState(error) ?? '')
}

/**
 * Whether its pipeline has become encrypted within this second: what was sent lies here in the clear, and is not to be kept so. Its sender comes
 * again, and then it is sealed.
 */
function isUnsealed({ body }: JudgedDelivery, error: unknown): boolean {
  return body !== null && error instanceof MillraceError && error.code === 'encryption_required'
}
