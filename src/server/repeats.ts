// Owns requests that are sent again: what is asked with an idempotency key is carried out once, in one transaction with its answer, and answered alike
// each time for a day.
import { createHash } from 'node:crypto'
import type { Operation } from '../api/operation.ts'
import { MillraceError } from '../core/errors.ts'
import { carryOutOnce, type KeptAnswer } from '../db/answered-requests.ts'
import { actingAs } from './room.ts'
import type { Call, Route } from './route.ts'

/** Larger answers are not kept. */
const answerBytesMax = 1_048_576

/** What the handler answers, or what it answered to this very request before. @throws MillraceError */
export async function performOnce(
  operation: Operation,
  call: Call,
  handle: Route['handle'],
): Promise<unknown> {
  const { idempotencyKey, room } = call
  if (idempotencyKey === undefined || operation.method !== 'post') return handle(call)
  if (!/^[\x20-\x7e]{1,255}$/.test(idempotencyKey))
    throw new MillraceError(
      'request_invalid',
      'The header idempotency-key is not valid: it has 1 to 255 characters of ASCII.',
      { fields: { where: 'header idempotency-key' } },
    )
  // In a transaction of somebody else's it is theirs to see that it happens once.
  if (operation.ownIdempotency !== undefined || room.transaction !== undefined) return handle(call)
  return room.repeats.take(() => carryOut(operation, { ...call, idempotencyKey }, handle))
}

async function carryOut(
  operation: Operation,
  call: Call & { readonly idempotencyKey: string },
  handle: Route['handle'],
): Promise<unknown> {
  const { room, actor, origin } = call
  let answered: unknown
  const { standing, answer } = {
    answer: undefined,
    ...(await carryOutOnce(
      room.pool,
      room.database,
      actingAs(actor, origin),
      {
        who: `${actor.kind} ${actor.id}`.slice(0, 300),
        idempotencyKey: call.idempotencyKey,
        digest: digestOf(call),
        tenant: actor.tenant,
      },
      async ({ caller, reads }) => {
        answered = await handle({ ...call, caller, room: { ...room, reads, transaction: caller } })
        return keptAnswer(operation, answered)
      },
    )),
  }
  if (standing === 'new') return answered
  if (standing === 'busy')
    throw new MillraceError('request_under_way', 'A request with this idempotency key is under way.', {
      fields: { retry_after_seconds: 1 },
    })
  if (standing === 'other')
    throw new MillraceError(
      'idempotency_conflict',
      'This idempotency key came with another request before.',
      { hint: 'Send each request under a key of its own.' },
    )
  return toldAgain(answer)
}

/** Of all that decides what the request does. */
function digestOf({ request, body, ifRevision, actor }: Call): Uint8Array {
  const { pathname, search } = new URL(request.url)
  const asked = JSON.stringify([
    request.method,
    pathname,
    search,
    ifRevision ?? null,
    actor.tenant,
    actor.payloads,
    actor.agent ?? null,
    body ?? null,
  ])
  return createHash('sha256').update(asked).digest()
}

async function keptAnswer(operation: Operation, answered: unknown): Promise<KeptAnswer> {
  if (answered instanceof Response) {
    const isText = /^application\/json\b/.test(answered.headers.get('content-type') ?? '')
    const text = isText ? await answered.clone().text() : null
    return kept(operation, answered.status, text, isText || answered.body === null)
  }
  const text = answered === undefined || operation.answer === undefined ? null : JSON.stringify(answered)
  return kept(operation, operation.status, text, true)
}

function kept(operation: Operation, status: number, text: string | null, canBe: boolean): KeptAnswer {
  const isKept =
    canBe && operation.answersOnce !== true && (text === null || Buffer.byteLength(text) <= answerBytesMax)
  return { status, text, isKept }
}

function toldAgain(answer: KeptAnswer | undefined): Response {
  if (answer?.isKept !== true)
    throw new MillraceError(
      'answer_not_kept',
      'This request was carried out before, and its answer is not kept.',
    )
  return new Response(answer.text, {
    status: answer.status,
    headers: {
      'cache-control': 'no-store',
      'idempotency-replayed': 'true',
      ...(answer.text === null ? {} : { 'content-type': 'application/json' }),
    },
  })
}
