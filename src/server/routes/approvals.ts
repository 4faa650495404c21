// The routes of approvals.
import { type Actor, actorName, reaches } from '../../api/access.ts'
import { roles } from '../../core/role.ts'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { checkJson } from '../../core/json.ts'
import {
  type ApprovalRow,
  decideApproval,
  type Decider,
  delegateApproval,
  listApprovals,
} from '../../db/approvals.ts'
import { withoutPosition } from '../../db/list-bounds.ts'
import { refuseAgent } from '../agent-request.ts'
import { pageByTime, placeOf } from '../page.ts'
import { payloadsFor } from '../payloads.ts'
import { type Route, route } from '../route.ts'

export const approvalRoutes: readonly Route[] = [
  route(operations.listApprovals, async ({ query, actor, within, room }) => {
    const { limit, cursor, state, run } = query
    const rows = await listApprovals(room.reads, {
      states: state === 'all' ? undefined : [state],
      runId: run,
      tenant: within.tenant ?? undefined,
      pipelines: within.pipelines ?? undefined,
      after: placeOf(cursor),
      limit: limit + 1,
    })
    const page = pageByTime(rows, limit)
    return { ...page, items: page.items.map((row) => approvalFor(actor, row)) }
  }),

  route(operations.showApproval, async ({ params, actor, room }) => {
    const [row] = await listApprovals(room.reads, { id: params.approval, limit: 1 })
    if (row === undefined)
      throw new MillraceError('approval_unknown', `There is no approval ${params.approval}.`, {
        fields: { approval: params.approval },
      })
    return approvalFor(actor, withoutPosition(row))
  }),

  route(operations.decideApproval, async ({ params, body, actor, caller }) => {
    refuseAgent(actor)
    const { decision, value, comment = null } = body
    const text = value === undefined ? null : checkJson(value, { what: 'the value of the decision' })
    return decideApproval(caller, params.approval, { decision, value: text, comment }, decider(actor))
  }),

  route(operations.delegateApproval, async ({ params, body, actor, caller }) => {
    refuseAgent(actor)
    await delegateApproval(caller, params.approval, body.to, decider(actor))
  }),
]

function approvalFor(actor: Actor, { data, form, ...row }: ApprovalRow) {
  return { ...row, form, ...payloadsFor(actor, { data }) }
}

/** People decide under their address, keys under their name; what a role may, those above it may as well. */
function decider(actor: Actor): Decider {
  const actorRoles = roles.filter((role) => reaches(actor.role, role))
  return { actor: actorName(actor), actorRoles }
}
