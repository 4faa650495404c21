// Sends what is due to addresses that are told of the end of runs: a batch at a time, each attempt on record.
import { MillraceError } from '../core/errors.ts'
import { retryAfterMs } from '../core/retry-after-header.ts'
import type { Caller } from '../db/call.ts'
import {
  type CallbackAttempt,
  type ClaimedCallback,
  claimCallbacks,
  recordCallback,
} from '../db/callbacks.ts'
import type { SafeAnswer, SafeFetch } from '../net/safe-fetch.ts'
import type { AllowedTargets } from '../net/target.ts'
import { signedHeaders } from './callback-signature.ts'
import type { TriggerTask } from './trigger-work.ts'

export interface CallbackRoom {
  readonly caller: Caller
  readonly allowTargets: AllowedTargets
  readonly fetch: SafeFetch
  /** The value of a secret. */
  readonly readSecret: (name: string) => Promise<string>
  /** A draw from [0, 1). */
  readonly random: () => number
}

/** All of a batch are under way at once, and none takes longer than a request may: so that many slow addresses hold up few others. */
const batch = 20
const userAgent = 'millrace-callback/1'
/** A day: what an address may ask for before it is tried again. */
const retryAfterMsMax = 86_400_000

export function callbackSending(room: CallbackRoom): TriggerTask {
  return async () => {
    const claimed = await claimCallbacks(room.caller, batch)
    await Promise.all(claimed.map((one) => deliver(one, room)))
    return claimed.length === batch
  }
}

type Outcome = Pick<CallbackAttempt, 'status' | 'reason' | 'isFinal' | 'retryAfterMs'>

async function deliver(claimed: ClaimedCallback, room: CallbackRoom): Promise<void> {
  const { id, claim } = claimed
  const begun = performance.now()
  const outcome = await send(claimed, room)
  const durationMs = Math.round(performance.now() - begun)
  await recordCallback(room.caller, { id, claim, durationMs, draw: room.random(), ...outcome })
}

async function send(
  claimed: ClaimedCallback,
  { allowTargets: allow, fetch, readSecret }: CallbackRoom,
): Promise<Outcome> {
  const body = JSON.stringify(claimed.body)
  try {
    const message = { id: claimed.id, sentAt: claimed.sent_at, body }
    const headers = {
      'content-type': 'application/json',
      'user-agent': userAgent,
      ...signedHeaders(message, await readSecret(claimed.secret)),
    }
    // The status alone counts, so however much is sent after it is never read.
    return answered(await fetch(claimed.url, { method: 'POST', headers, body, allow, ignoreBody: true }))
  } catch (error) {
    return failed(error)
  }
}

function answered({ status, headers }: SafeAnswer): Outcome {
  const reason = status >= 300 && status < 400 ? 'it answered with a redirect, which is not followed' : null
  const asked = retryAfterMs({ retryAfter: headers['retry-after'], date: headers['date'] }) ?? 0
  return { status, reason, isFinal: false, retryAfterMs: asked > 0 ? Math.min(asked, retryAfterMsMax) : null }
}

/** What leaves nothing to hope for is not tried again: an address that may not be called. A code and no more: messages may hold what is nobody's business. */
function failed(error: unknown): Outcome {
  const known = error instanceof MillraceError ? error : undefined
  const detail = known?.fields['reason']
  const reason = `${known?.code ?? 'unknown'}${typeof detail === 'string' ? ` (${detail})` : ''}`
  return { status: null, reason, isFinal: known?.code === 'target_refused', retryAfterMs: null }
}
