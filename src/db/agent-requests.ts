// The SQL functions of what agents ask people for: asked, approved with what they carry out, rejected, listed.
import type { AgentRequestState } from '../core/state.ts'
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

/** What an operation is given, as the agent gave it: before its shape is looked at once more. */
export interface AskedOperation {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly body: unknown
  readonly if_revision: number | null
  readonly idempotency_key: string | null
}

/** Who asks, and within what: an approval doesn't widen it. */
interface Asker {
  readonly id: string
  readonly name: string
  readonly tenant: string | null
  readonly pipelines: readonly string[] | null
  readonly run: string | null
  readonly payloads: boolean
}

export interface NewAgentRequest {
  readonly id: string
  readonly operation: string
  readonly asked: AskedOperation
  /** sha256, of 32 bytes. */
  readonly digest: Uint8Array
  readonly why: string | null
  readonly asker: Asker
  /** Of what it would change. */
  readonly tenant: string | null
  readonly pipeline: string | null
  readonly run: string | null
}

/** Asks, or finds the same question open. @throws MillraceError agent_requests_full */
export async function askAgentRequest(
  caller: Caller,
  { id, operation, asked, digest, why, asker, tenant, pipeline, run }: NewAgentRequest,
): Promise<{ readonly request: string; readonly created: boolean }> {
  const rows = await retryTransaction(() =>
    caller.call<{ request: string; created: boolean }>(
      {
        name: 'millrace_ask_agent_request',
        text: 'select request, created from millrace.ask_agent_request($1, $2, $3::jsonb, $4::bytea, $5, $6::jsonb, $7, $8, $9::uuid)',
      },
      [
        id,
        operation,
        JSON.stringify(asked),
        `\\x${Buffer.from(digest).toString('hex')}`,
        why,
        JSON.stringify(asker),
        tenant,
        pipeline,
        run,
      ],
    ),
  )
  return rows[0]!
}

/** What is carried out with the approval. */
export interface ApprovedRequest {
  readonly operation: string
  readonly asked: AskedOperation
  readonly asker_name: string
  readonly bound_tenant: string | null
  readonly bound_pipelines: readonly string[] | null
  readonly bound_run: string | null
  readonly sees_payloads: boolean
}

/** Only in the transaction that carries it out. @throws MillraceError agent_request_unknown, agent_request_decided */
export async function approveAgentRequest(
  caller: Caller,
  id: string,
  comment: string | null,
): Promise<ApprovedRequest> {
  const rows = await caller.call<ApprovedRequest>(
    {
      name: 'millrace_approve_agent_request',
      text: `select operation, asked, asker_name, bound_tenant, bound_pipelines, bound_run, sees_payloads
         from millrace.approve_agent_request($1, $2)`,
    },
    [id, comment],
  )
  return rows[0]!
}

/** Keeps what the operation answered. @param answer JSON text; in the transaction of the approval */
export async function answerAgentRequest(caller: Caller, id: string, answer: string | null): Promise<void> {
  await caller.call(
    {
      name: 'millrace_answer_agent_request',
      text: 'select millrace.answer_agent_request($1, $2::jsonb)',
    },
    [id, answer],
  )
}

/**
 * Rejects, or says why what was approved could not be carried out.
 *
 * @throws MillraceError agent_request_unknown, agent_request_decided
 */
export async function rejectAgentRequest(
  caller: Caller,
  id: string,
  comment: string | null,
  error: { readonly code: string; readonly message: string } | null,
): Promise<void> {
  await retryTransaction(() =>
    caller.call(
      {
        name: 'millrace_reject_agent_request',
        text: 'select millrace.reject_agent_request($1, $2, $3::jsonb)',
      },
      [id, comment, error === null ? null : JSON.stringify(error)],
    ),
  )
}

/** Whether a pipeline has a version that keeps its values encrypted. */
export async function hasEncryptedVersion(caller: Caller, pipeline: string): Promise<boolean> {
  const rows = await caller.call<{ found: boolean }>(
    {
      name: 'millrace_has_encrypted_version',
      text: 'select exists (select from millrace.pipeline_version v where v.slug = $1 and v.is_encrypted) as found',
    },
    [pipeline],
  )
  return rows[0]!.found
}

export interface AgentRequestRow {
  readonly id: string
  readonly operation: string
  readonly state: AgentRequestState
  readonly asker_id: string
  readonly asker_name: string
  readonly asked_by: string
  readonly asked: AskedOperation
  readonly why: string | null
  readonly bound_tenant: string | null
  readonly sees_payloads: boolean
  readonly tenant: string | null
  readonly pipeline: string | null
  readonly run_id: string | null
  readonly asked_at: Date
  readonly expires_at: Date
  readonly decided_at: Date | null
  readonly decided_by: string | null
  readonly comment: string | null
  readonly answer: unknown
  readonly error: { readonly code: string; readonly message: string } | null
}

export interface AgentRequestFilter {
  readonly id?: string | undefined
  /** Undefined lists all. */
  readonly states?: readonly AgentRequestState[] | undefined
  /** Only what one within these bounds may see, and what this asker asked itself. */
  readonly within: {
    readonly asker: string
    readonly tenant: string | null
    readonly pipelines: readonly string[] | null
  }
  /** Only those before this one. */
  readonly before?: string | undefined
  readonly limit: number
}

/** What agents asked for, the newest first: their ids rise with the time. */
export function listAgentRequests(
  caller: Caller,
  { id, states, within, before, limit }: AgentRequestFilter,
): Promise<AgentRequestRow[]> {
  return caller.call<AgentRequestRow>(
    {
      name: 'millrace_list_agent_requests',
      text: `select * from (
          select r.id, r.operation, millrace.agent_request_state(r.state, r.expires_at) as state,
            r.asker_id, r.asker_name, r.asked_by, r.asked, r.why, r.bound_tenant, r.sees_payloads, r.tenant, r.pipeline, r.run_id, r.asked_at,
            r.expires_at, r.decided_at, r.decided_by, r.comment, r.answer, r.error
          from millrace.agent_request r
         where ($1::uuid is null or r.id = $1) and ($2::uuid is null or r.id < $2)
           and (r.asker_id = $3 or ($4::text is null or r.tenant = $4) and ($5::text[] is null or r.pipeline = any ($5)))) q
       where $6::text[] is null or q.state = any ($6)
       order by q.id desc limit $7`,
    },
    [id ?? null, before ?? null, within.asker, within.tenant, within.pipelines, states ?? null, limit],
  )
}
