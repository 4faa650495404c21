// Owns what agents ask people for: an operation that changes something is kept as a request instead of being done, and carried
// out with its approval.
import type { z } from 'zod'
import type { Actor } from '../api/access.ts'
import { isAgentOperation } from '../api/agent-operations.ts'
import { type AskedAnswer, agentHeader, agentWhyHeader } from '../api/agent-requests.ts'
import type { Operation } from '../api/operation.ts'
import { digestOf } from '../core/digest.ts'
import { MillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/uuid.ts'
import { type AskedOperation, askAgentRequest, hasEncryptedVersion } from '../db/agent-requests.ts'
import { findOwner, type Owner } from '../db/owners.ts'
import type { Call } from './route.ts'

/** An actor, as an agent where its request says that one acts by it. That takes rights away, so anybody may say it. */
export function withAgent(actor: Actor, request: Request): Actor {
  return actor.agent === undefined && request.headers.has(agentHeader) ? { ...actor, agent: 'asks' } : actor
}

/** What people are asked is decided by people: no agent does, not even one that may act, and no token. @throws MillraceError not_allowed */
export function refuseAgent({ agent, kind }: Actor): void {
  if (agent === undefined && kind !== 'token') return
  throw new MillraceError('not_allowed', 'You may not do this. What people are asked is decided by people.')
}

/**
 * Keeps what an agent wants as a request, which a person decides.
 *
 * @throws MillraceError not_allowed, agent_requests_full, argument_invalid where it is too long
 */
export async function askPerson(operation: Operation, call: Call, asked: AskedOperation): Promise<Response> {
  if (!isAgentOperation(operation))
    throw new MillraceError('not_allowed', 'You may not do this. An agent may not ask for it either.')
  const subject = await subjectOf(operation, call)
  await refusePayload(operation, call, subject)
  const { actor, room } = call
  const { request, created } = await askAgentRequest(call.caller, {
    id: uuidV7(room.now(), room.random(10)),
    operation: operation.name,
    asked,
    digest: Buffer.from(digestOf([operation.name, questionOf(operation, asked)]), 'hex'),
    why: whyOf(call.request),
    asker: {
      id: actor.id,
      name: actor.name,
      tenant: actor.tenant,
      pipelines: actor.pipelines,
      run: actor.run,
      payloads: actor.payloads,
    },
    ...subject,
  })
  const answer: AskedAnswer = {
    agent_request: { id: request, state: 'open', created },
    detail: 'Nothing was done yet: a person is asked, and it is done with their approval.',
  }
  return new Response(JSON.stringify(answer), {
    status: 202,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}

/** What makes two questions one. An idempotency key says something of the operation only where that hands it on. */
function questionOf({ ownIdempotency }: Operation, asked: AskedOperation): AskedOperation {
  return ownIdempotency === 'handled' ? asked : { ...asked, idempotency_key: null }
}

/** To whom belongs what it would change, as far as that is known before it is done. */
async function subjectOf({ access }: Operation, { params, body, within, room }: Call): Promise<Owner> {
  const said = { ...(body as object), ...(params as object) } as Record<string, unknown>
  const subject = access === 'public' ? 'nothing' : access.subject
  const owner =
    subject === 'nothing' || subject === 'list' || subject === 'installation'
      ? undefined
      : await findOwner(room.reads, subject, String(said[subject]))
  return {
    pipeline: owner?.pipeline ?? textOf(said.pipeline),
    tenant: owner?.tenant ?? within.tenant ?? textOf(said.tenant),
    run: owner?.run ?? null,
  }
}

/** A request lies in the clear, as people are to read it: so nothing is asked that a pipeline keeps encrypted. */
async function refusePayload(operation: Operation, { body, room }: Call, { pipeline }: Owner): Promise<void> {
  const { def } = (operation.body ?? {}) as Partial<z.ZodObject>
  const given = Object.keys(body ?? {})
  const payload = given.find((field) => def?.shape === undefined || holdsPayload(def.shape[field]))
  if (pipeline === null || payload === undefined) return
  if (await hasEncryptedVersion(room.reads, pipeline))
    throw new MillraceError(
      'not_allowed',
      `You may not do this. The pipeline '${pipeline}' is encrypted, and a request would keep its ${payload} in the clear.`,
    )
}

/** Whether a value of this shape may hold whatever its sender likes. */
function holdsPayload(schema: unknown): boolean {
  const { def } = (schema ?? {}) as { def?: SchemaParts }
  if (def === undefined || def.type === 'unknown' || def.type === 'any' || def.type === 'record') return true
  const inner = [
    def.innerType,
    def.element,
    def.in,
    ...Object.values(def.shape ?? {}),
    ...(def.options ?? []),
  ]
  return inner.some((part) => part !== undefined && holdsPayload(part))
}

interface SchemaParts {
  readonly type: string
  readonly innerType?: unknown
  readonly element?: unknown
  readonly in?: unknown
  readonly shape?: Readonly<Record<string, unknown>>
  readonly options?: readonly unknown[]
}

function whyOf(request: Request): string | null {
  const said = request.headers.get(agentWhyHeader)
  if (said === null) return null
  try {
    return decodeURIComponent(said).replaceAll('\u0000', '').slice(0, 1_000)
  } catch {
    return null
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
