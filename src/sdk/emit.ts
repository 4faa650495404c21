// Emits events: what each pipeline that subscribes to them is started with.
import { checkJson } from '../core/json.ts'
import type { Caller, Transaction } from '../db/call.ts'
import { emit } from '../db/events.ts'

export interface EmitOptions {
  /** The event belongs to this transaction: it commits and rolls back with it. */
  readonly tx?: Transaction
  /** Emitted again under the same key it is the same event, for as long as that is kept: 30 days. */
  readonly idempotencyKey?: string
  /** Whose event it is; that of the run where a step emits it. */
  readonly tenant?: string
  /** The run and the step that emit it. In the transaction of a tx step that is known by itself. */
  readonly origin?: { readonly run: string; readonly step?: string }
}

/** Answers the id of the event. @throws MillraceError json_invalid, json_too_large, argument_invalid, run_unknown */
export function emitEvent(
  caller: Caller,
  name: string,
  payload: unknown,
  { idempotencyKey, tenant, origin }: EmitOptions,
): Promise<string> {
  return emit(caller, {
    name,
    payload:
      payload === undefined
        ? null
        : checkJson(payload, { what: `the payload of event '${name}'`, maxBytes: 1_000_000 }),
    tenant: tenant ?? null,
    idempotencyKey: idempotencyKey ?? null,
    runId: origin?.run ?? null,
    step: origin?.step ?? null,
  })
}
