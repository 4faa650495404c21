// Approvals: the questions that runs put to people, and what these decide.
import type { ApprovalState } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { Place } from './list-bounds.ts'
import { retryTransaction } from './transaction.ts'

export interface ApprovalRow {
  readonly id: string
  readonly run_id: string
  readonly pipeline: string
  readonly step: string
  readonly item: number | null
  readonly name: string
  readonly state: ApprovalState
  readonly title: string | null
  readonly data: unknown
  readonly roles: readonly string[]
  readonly people: readonly string[]
  readonly quorum: number
  /** How many have approved. */
  readonly approvals: number
  readonly form: unknown
  readonly created_at: Date
  readonly reminded_at: Date | null
  readonly expires_at: Date | null
  readonly decided_at: Date | null
}

export interface ListedApprovalRow extends ApprovalRow {
  /** When it was created, to the microsecond: where a page ended. */
  readonly position: string
}

export interface ApprovalFilter {
  /** Undefined lists all. */
  readonly states?: readonly ApprovalState[] | undefined
  readonly runId?: string | undefined
  readonly id?: string | undefined
  /** Only of runs of this tenant. */
  readonly tenant?: string | undefined
  /** Only of runs of these pipelines. */
  readonly pipelines?: readonly string[] | undefined
  /** Only those after this one. */
  readonly after?: Place | undefined
  readonly limit: number
}

/** Approvals, the oldest first. */
export function listApprovals(caller: Caller, filter: ApprovalFilter): Promise<ListedApprovalRow[]> {
  return caller.call<ListedApprovalRow>(
    {
      name: 'millrace_list_approvals',
      text: `select a.id, a.run_id, r.slug as pipeline, a.step, nullif(a.item, -1) as item, a.name, a.state, a.title, a.data, a.roles, a.people, a.quorum,
          (select count(*)::int from millrace.approval_decision d where d.approval_id = a.id and d.decision = 'approve') as approvals,
          a.form, a.created_at, a.reminded_at, a.expires_at, a.decided_at,
          to_char(a.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as position
        from millrace.approval a join millrace.run r on r.id = a.run_id
       where ($1::text[] is null or a.state = any ($1)) and ($2::uuid is null or a.run_id = $2) and ($3::uuid is null or a.id = $3)
         and ($5::text is null or r.tenant = $5) and ($6::text[] is null or r.slug = any ($6)) and ($7::timestamptz is null or (a.created_at, a.id) > ($7, $8::uuid))
       order by a.created_at, a.id limit $4`,
    },
    [
      filter.states ?? null,
      filter.runId ?? null,
      filter.id ?? null,
      filter.limit,
      filter.tenant ?? null,
      filter.pipelines ?? null,
      ...(filter.after ?? [null, null]),
    ],
  )
}

export interface Decider {
  /** Who decides; null is the role of the connection. */
  readonly actor: string | null
  /** The roles of the actor, as the application knows them; null asks PostgreSQL for those of the connection. */
  readonly actorRoles: readonly string[] | null
}

export interface DecisionRow {
  readonly decision: 'approve' | 'reject'
  /** JSON text. */
  readonly value: string | null
  readonly comment: string | null
}

export interface DecisionAnswer {
  readonly state: ApprovalState
  readonly approvals: number
  readonly quorum: number
}

/** Decides, once a person. @throws MillraceError approval_unknown, approval_closed, approval_forbidden, argument_invalid */
export async function decideApproval(
  caller: Caller,
  id: string,
  decision: DecisionRow,
  by: Decider,
): Promise<DecisionAnswer> {
  const rows = await retryTransaction(() =>
    caller.call<DecisionAnswer>(
      {
        name: 'millrace_decide_approval',
        text: 'select state, approvals, quorum from millrace.decide_approval($1, $2, $3::jsonb, $4, coalesce($5, session_user::text), $6::text[])',
      },
      [id, decision.decision, decision.value, decision.comment, by.actor, by.actorRoles],
    ),
  )
  return rows[0]!
}

/** Lets somebody else decide in the actor's place. @throws MillraceError approval_unknown, approval_closed, approval_forbidden */
export async function delegateApproval(
  caller: Caller,
  id: string,
  toActor: string,
  by: Decider,
): Promise<void> {
  await retryTransaction(() =>
    caller.call(
      {
        name: 'millrace_delegate_approval',
        text: 'select millrace.delegate_approval($1, $2, coalesce($3, session_user::text), $4::text[])',
      },
      [id, toActor, by.actor, by.actorRoles],
    ),
  )
}
