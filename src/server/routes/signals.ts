// The routes of signals.
import { operations } from '../../api/catalogue.ts'
import { checkJson } from '../../core/json.ts'
import type { Caller } from '../../db/call.ts'
import { sendSignal } from '../../db/signals.ts'
import { type Route, route } from '../route.ts'

export const signalRoutes: readonly Route[] = [
  route(operations.sendSignal, async ({ body, caller }) => send(caller, body, null, body.all ?? false)),
  route(operations.signalRun, async ({ params, body, caller }) => send(caller, body, params.run, false)),
]

interface Signal {
  readonly name: string
  readonly payload?: unknown
  readonly idempotency_key?: string | undefined
}

async function send(caller: Caller, signal: Signal, runId: string | null, toAll: boolean) {
  const { name, payload, idempotency_key: idempotencyKey = null } = signal
  const { signal_id, woke, kept } = await sendSignal(caller, {
    name,
    payload: payload === undefined ? null : checkJson(payload, { what: `the payload of signal '${name}'` }),
    runId,
    idempotencyKey,
    toAll,
  })
  return { id: String(signal_id), woke, kept }
}
