// The SQL function of signals: messages from outside, to a run or to whoever waits for a name.
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

/** A signal; the payload is JSON text. */
export interface SignalRow {
  readonly name: string
  readonly payload: string | null
  /** Null sends it to the name: the oldest step that waits for it gets it. */
  readonly runId: string | null
  readonly idempotencyKey: string | null
  /** To all that wait for the name now, not only the oldest. */
  readonly toAll: boolean
}

export interface SignalAnswer {
  readonly signal_id: number
  /** How many waits it ended. */
  readonly woke: number
  /** It is kept for the next step that waits for it. */
  readonly kept: boolean
}

/** Sends a signal. Sent again under its idempotency key it is the same one. @throws MillraceError run_unknown, run_ended, argument_invalid */
export async function sendSignal(caller: Caller, signal: SignalRow): Promise<SignalAnswer> {
  const rows = await retryTransaction(() =>
    caller.call<SignalAnswer>(
      {
        name: 'millrace_send_signal',
        text: 'select signal_id, woke, kept from millrace.send_signal($1, $2::jsonb, $3::uuid, $4, $5::boolean)',
      },
      [signal.name, signal.payload, signal.runId, signal.idempotencyKey, signal.toAll],
    ),
  )
  return rows[0]!
}
