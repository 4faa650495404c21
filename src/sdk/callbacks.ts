// What applications do with callbacks: add one to a run, see what became of each, and send it again.
import { isUuid } from '../core/uuid.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import {
  addCallbacks,
  type CallbackEnd,
  type DeliveryAttemptRow,
  type DeliveryRow,
  listDeliveries,
  resendCallback,
} from '../db/callbacks.ts'
import type { AllowedTargets } from '../net/target.ts'
import { type CallbackOptions, callbackRows } from './callback.ts'

export interface CallbackAttempt {
  readonly number: number
  readonly at: Date
  readonly durationMs: number
  /** What the address answered with; null where it did not. */
  readonly status: number | null
  readonly reason: string | null
}

/** What one address is to be told of one end of a run. */
export interface CallbackDelivery {
  /** The `webhook-id`, the same for each attempt. */
  readonly id: string
  readonly run: string
  readonly pipeline: string
  readonly url: string
  readonly secret: string
  readonly ended: CallbackEnd
  readonly endedAt: Date
  readonly state: 'waiting' | 'delivered' | 'given up'
  /** When it is sent next. */
  readonly dueAt: Date | null
  readonly deliveredAt: Date | null
  readonly givenUpAt: Date | null
  /** Why the last attempt failed. */
  readonly reason: string | null
  /** Its address answered 410: nothing is sent there until this is sent again. */
  readonly disabled: boolean
  /** The last 50. */
  readonly attempts: readonly CallbackAttempt[]
}

export interface CallbackListOptions {
  readonly run?: string
  /** Only what is not delivered, or only what is. */
  readonly open?: boolean
  /** 100 unless told, 1,000 at most. */
  readonly limit?: number
}

const listMax = 1_000

export class Callbacks {
  readonly #caller: () => Promise<Caller>
  readonly #allow: AllowedTargets

  constructor(caller: () => Promise<Caller>, allow: AllowedTargets = []) {
    this.#caller = caller
    this.#allow = allow
  }

  /**
   * Has an address told of the end of a run that is there already; at once where it has ended. The same address again changes nothing.
   * True where it is new.
   *
   * @throws MillraceError run_unknown, callback_invalid, target_refused
   */
  async add(run: string, callback: CallbackOptions): Promise<boolean> {
    const callbacks = callbackRows('callbacks.add', callback, this.#allow)
    const told = { runs: [checkId(run, 'run_unknown')], callbacks }
    return (await addCallbacks(await this.#caller(), [told])) > 0
  }

  /** The deliveries, the newest first. */
  async list(options: CallbackListOptions = {}): Promise<CallbackDelivery[]> {
    const { run, open, limit = 100 } = options
    const filter = {
      id: null,
      runId: run === undefined ? null : checkId(run, 'run_unknown'),
      open: open ?? null,
      limit: Math.min(Math.max(1, Math.trunc(limit)), listMax),
    }
    return (await listDeliveries(await this.#caller(), filter)).map(deliveryOf)
  }

  /** @throws MillraceError callback_unknown */
  async get(id: string): Promise<CallbackDelivery> {
    const filter = { id: checkId(id, 'callback_unknown'), runId: null, open: null, limit: 1 }
    const [row] = await listDeliveries(await this.#caller(), filter)
    if (row === undefined) throw unknown(id, 'callback_unknown')
    return deliveryOf(row)
  }

  /** Sends a delivery once more, with fresh attempts and under the same id; calls a disabled address again. @throws MillraceError callback_unknown */
  async resend(id: string): Promise<void> {
    await resendCallback(await this.#caller(), checkId(id, 'callback_unknown'))
  }
}

function checkId(id: string, code: 'run_unknown' | 'callback_unknown'): string {
  if (isUuid(id)) return id
  throw unknown(id, code)
}

function unknown(id: string, code: 'run_unknown' | 'callback_unknown'): MillraceError {
  const noun = code === 'run_unknown' ? 'run' : 'delivery'
  return new MillraceError(code, `There is no ${noun} '${String(id).slice(0, 100)}'.`, { fields: { id } })
}

function deliveryOf(row: DeliveryRow): CallbackDelivery {
  const { id, pipeline, url, secret, ended, reason, disabled } = row
  return {
    id,
    run: row.run_id,
    pipeline,
    url,
    secret,
    ended,
    endedAt: row.ended_at,
    state: row.delivered_at !== null ? 'delivered' : row.given_up_at !== null ? 'given up' : 'waiting',
    dueAt: row.due_at,
    deliveredAt: row.delivered_at,
    givenUpAt: row.given_up_at,
    reason,
    disabled,
    attempts: row.attempts.map(attemptOf),
  }
}

function attemptOf({
  number,
  at,
  duration_ms: durationMs,
  status,
  reason,
}: DeliveryAttemptRow): CallbackAttempt {
  return { number, at: new Date(at), durationMs, status, reason }
}
