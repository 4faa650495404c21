// The routes of what agents ask people for.
import { type Actor, actorName } from '../../api/access.ts'
import type { AgentRequest } from '../../api/agent-requests.ts'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { type AgentRequestRow, listAgentRequests, rejectAgentRequest } from '../../db/agent-requests.ts'
import { refuseAgent } from '../agent-request.ts'
import { carryOut } from '../carry-out.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { type Call, type Route, route } from '../route.ts'

/** @param offered the routes of what may be asked for */
export function agentRequestRoutes(offered: readonly Route[]): readonly Route[] {
  const summaries = new Map(offered.map(({ operation }) => [operation.name, operation.summary]))
  const shown = (row: AgentRequestRow, actor: Actor) => shownTo(actor, row, summaries.get(row.operation))
  return [
    route(operations.listAgentRequests, async ({ query, actor, within, room }) => {
      const [before] = positionOf(query.cursor, ['uuid']) ?? []
      const rows = await listAgentRequests(room.reads, {
        states: query.state === undefined ? undefined : [query.state],
        within: { asker: actor.id, ...within },
        before: before as string | undefined,
        limit: query.limit + 1,
      })
      const { items, next } = pageOfRows(rows, query.limit, ({ id }) => [id])
      return { items: items.map((row) => shown(row, actor)), next }
    }),

    route(operations.showAgentRequest, async (call) =>
      shown(await rowOf(call, call.params.agent_request), call.actor),
    ),

    route(operations.approveAgentRequest, async (call) => {
      const { params, body, actor } = call
      refuseAgent(actor)
      const { id, asker_name: agent } = await rowOf(call, params.agent_request)
      try {
        await carryOut(offered, call, { id, agent, comment: body.comment ?? null })
      } catch (error) {
        if (!(await isRepeated(call, id, error))) throw error
      }
      return shown(await rowOf(call, id), actor)
    }),

    route(operations.rejectAgentRequest, async (call) => {
      const { params, body, actor, caller } = call
      refuseAgent(actor)
      const { id } = await rowOf(call, params.agent_request)
      await rejectAgentRequest(caller, id, body.comment ?? null, null)
      return shown(await rowOf(call, id), actor)
    }),
  ]
}

/** Sent again under an idempotency key, an approval is answered with what came of it: the request itself keeps that it happens once. */
async function isRepeated(call: Call, id: string, error: unknown): Promise<boolean> {
  if (call.idempotencyKey === undefined || !(error instanceof MillraceError)) return false
  if (error.code !== 'agent_request_decided') return false
  const { state, decided_by, asker_name: agent } = await rowOf(call, id)
  const name = actorName({ ...call.actor, carriesOut: { agent } })
  return state === 'approved' && decided_by?.startsWith(`${name} via `) === true
}

/** @throws MillraceError agent_request_unknown, also for one of which the actor may not know */
async function rowOf(
  { room, actor, within }: Pick<Call, 'room' | 'actor' | 'within'>,
  id: string,
): Promise<AgentRequestRow> {
  const [row] = await listAgentRequests(room.reads, { id, within: { asker: actor.id, ...within }, limit: 1 })
  if (row !== undefined) return row
  throw new MillraceError('agent_request_unknown', `There is no request ${id} of an agent.`)
}

/** What the agent gave along is its own, and otherwise payload; so is what came of it, where the agent sees payloads. An error may repeat both. */
function shownTo(actor: Actor, row: AgentRequestRow, summary: string | undefined): AgentRequest {
  const showsBody = actor.payloads || row.asker_id === actor.id
  const showsAnswer = actor.payloads || !row.sees_payloads
  return {
    id: row.id,
    state: row.state,
    operation: row.operation,
    summary: summary ?? 'This server has no such operation any more.',
    params: row.asked.params,
    query: row.asked.query,
    body: showsBody ? row.asked.body : null,
    why: row.why,
    asked_by: row.asked_by,
    asked_at: row.asked_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    tenant: row.tenant,
    pipeline: row.pipeline,
    run: row.run_id,
    decided_by: row.decided_by,
    decided_at: row.decided_at?.toISOString() ?? null,
    comment: row.comment,
    answer: showsAnswer ? row.answer : null,
    error:
      row.error === null || (showsBody && showsAnswer)
        ? row.error
        : { ...row.error, message: row.error.code },
    payloads_hidden: !showsBody || !showsAnswer,
  }
}
