// Owns the carrying out of what an agent asked for: in the transaction of its approval, in the name of whoever approves, and within what the agent is
// bound to. So it is done once, or not at all.
import type { Actor } from '../api/access.ts'
import { statusByCode } from '../api/problem.ts'
import { MillraceError } from '../core/errors.ts'
import {
  answerAgentRequest,
  type ApprovedRequest,
  approveAgentRequest,
  rejectAgentRequest,
} from '../db/agent-requests.ts'
import { retryTransaction } from '../db/transaction.ts'
import { perform } from './perform.ts'
import { callerOf, together } from './room.ts'
import type { Call, Route } from './route.ts'

/** The most bytes of an answer that are kept for the agent: as the database writes it, it is a little longer. */
const answerBytesMax = 100_000

/** Of what an error says so much is kept: however it is escaped, the record takes it. */
const errorCharactersMax = 1_000

/** Faults of the approval, and none of what was asked for: it stays open for somebody who may. */
const ofTheDecider: ReadonlySet<string> = new Set([
  'not_allowed',
  'not_found',
  'not_signed_in',
  'too_many_requests',
  'agent_request_unknown',
  'agent_request_decided',
])

/** @param routes among which the operation is found @throws MillraceError whatever the operation throws; it is kept with the request */
export async function carryOut(
  routes: readonly Route[],
  { room, actor, origin, request }: Call,
  asked: { readonly id: string; readonly agent: string; readonly comment: string | null },
): Promise<void> {
  const decider: Actor = { ...actor, carriesOut: { agent: asked.agent } }
  try {
    await retryTransaction(() =>
      together(room, decider, origin, async (caller) => {
        const approved = await approveAgentRequest(caller, asked.id, asked.comment)
        const answer = await perform(
          { ...room, reads: caller, transaction: caller },
          routeOf(routes, approved.operation),
          withinBounds(decider, approved),
          origin,
          requestedOf(approved, request),
        )
        await answerAgentRequest(caller, asked.id, await answerText(answer))
      }),
    )
  } catch (error) {
    if (error instanceof MillraceError && isOfTheOperation(error)) {
      const { code, message } = error
      await rejectAgentRequest(callerOf(room, decider, origin), asked.id, asked.comment, {
        code,
        message: message.slice(0, errorCharactersMax).replace(/\p{Surrogate}$/u, ''),
      })
    }
    throw error
  }
}

function isOfTheOperation({ code }: MillraceError): boolean {
  return (statusByCode[code] ?? 500) < 500 && !ofTheDecider.has(code)
}

/** @throws MillraceError agent_request_decided */
function routeOf(routes: readonly Route[], name: string): Route {
  const found = routes.find(({ operation }) => operation.name === name)
  if (found !== undefined) return found
  throw new MillraceError('agent_request_decided', `This server has no operation '${name}' any more.`)
}

/** Who approves lends the agent a name and a role, and widens nothing: both are bound. */
function withinBounds(
  decider: Actor,
  { bound_tenant, bound_pipelines, bound_run, sees_payloads }: ApprovedRequest,
): Actor {
  if (decider.tenant !== null && bound_tenant !== null && decider.tenant !== bound_tenant)
    throw new MillraceError('not_allowed', 'You may not do this. The agent is bound to another tenant.')
  return {
    ...decider,
    tenant: decider.tenant ?? bound_tenant,
    pipelines: narrower(decider.pipelines, bound_pipelines),
    run: decider.run ?? bound_run,
    payloads: sees_payloads,
  }
}

function narrower(own: readonly string[] | null, other: readonly string[] | null): readonly string[] | null {
  if (own === null || other === null) return own ?? other
  return own.filter((one) => other.includes(one))
}

function requestedOf({ asked }: ApprovedRequest, request: Request): Parameters<typeof perform>[4] {
  return {
    params: asked.params,
    query: asked.query,
    body: () => Promise.resolve(asked.body ?? {}),
    ifRevision: asked.if_revision ?? undefined,
    idempotencyKey: asked.idempotency_key ?? undefined,
    request,
  }
}

/** Of an answer that is too large, or no JSON, nothing is kept. */
async function answerText(answer: unknown): Promise<string | null> {
  const text =
    answer instanceof Response
      ? answer.headers.get('content-type')?.startsWith('application/json') === true
        ? await answer.text()
        : undefined
      : JSON.stringify(answer)
  return text === undefined || Buffer.byteLength(text) > answerBytesMax ? null : text
}
