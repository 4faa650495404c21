// Sends signals to runs, or to whoever waits for a name.
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import { isUuid } from '../core/uuid.ts'
import type { Caller } from '../db/call.ts'
import { sendSignal } from '../db/signals.ts'

export interface SignalSendOptions {
  /** The run that it is for; without one it is for whoever waits for the name. */
  readonly run?: string
  /** Sent again under the same key it is the same signal. */
  readonly idempotencyKey?: string
  /** To all that wait for the name now, and not only the oldest. */
  readonly all?: boolean
}

export interface SignalSent {
  readonly id: string
  /** How many waiting steps it reached. */
  readonly woke: number
  /** It is kept for the next one that waits for it. */
  readonly kept: boolean
}

/** @throws MillraceError run_unknown, run_ended, json_invalid, json_too_large, argument_invalid */
export async function sendSignalTo(
  caller: Caller,
  name: string,
  payload: unknown,
  options: SignalSendOptions,
): Promise<SignalSent> {
  const { run, idempotencyKey, all } = options
  if (run !== undefined && !isUuid(run))
    throw new MillraceError('run_unknown', `'${run.slice(0, 100)}' is no run id.`, {
      fields: { runId: run },
    })
  const { signal_id, woke, kept } = await sendSignal(caller, {
    name,
    payload: payload === undefined ? null : checkJson(payload, { what: `the payload of signal '${name}'` }),
    runId: run ?? null,
    idempotencyKey: idempotencyKey ?? null,
    toAll: all ?? false,
  })
  return { id: String(signal_id), woke, kept }
}
