// Requests that carry an idempotency key: what they do and what is answered to them is one transaction, so that it happens once whatever breaks in between.
import type pg from 'pg'
import { type Acting, type JoinedCallers, joinCallers } from './acting.ts'
import { type Caller, clientCaller } from './call.ts'
import { inPoolTransaction, retryTransaction } from './transaction.ts'

export interface AskedRequest {
  /** Whose key it is: of one actor it is another one's business. */
  readonly who: string
  readonly idempotencyKey: string
  /** SHA-256 of what is asked. */
  readonly digest: Uint8Array
  readonly tenant: string | null
}

export interface KeptAnswer {
  readonly status: number
  readonly text: string | null
  /** False where the answer itself isn't to be kept. */
  readonly isKept: boolean
}

export type RequestStanding =
  | { readonly standing: 'new' | 'answered'; readonly answer: KeptAnswer }
  | { readonly standing: 'busy' | 'other' }

/**
 * Carries `work` out, unless its request was answered before, is another one under the same key, or is under way.
 *
 * @param work what the request does, over these callers alone; it is repeated where PostgreSQL undid all of it
 */
export function carryOutOnce(
  pool: pg.Pool,
  database: string,
  acting: Acting,
  request: AskedRequest,
  work: (callers: JoinedCallers) => Promise<KeptAnswer>,
): Promise<RequestStanding> {
  return retryTransaction(() =>
    inPoolTransaction(pool, database, async (client) => {
      const { standing, status, answer, is_kept } = await claimRequest(clientCaller(client), request)
      if (standing === 'answered') return { standing, answer: { status, text: answer, isKept: is_kept } }
      if (standing !== 'new') return { standing }
      const joined = joinCallers(client, acting)
      const kept = await work(joined)
      await answerRequest(joined.reads, request, kept)
      return { standing, answer: kept }
    }),
  )
}

interface ClaimedRow {
  readonly standing: RequestStanding['standing']
  readonly status: number
  readonly answer: string | null
  readonly is_kept: boolean
}

async function claimRequest(caller: Caller, request: AskedRequest): Promise<ClaimedRow> {
  const rows = await caller.call<ClaimedRow>(
    {
      name: 'millrace_claim_request',
      text: 'select standing, status, answer, is_kept from millrace.claim_request($1, $2, $3)',
    },
    [request.who, request.idempotencyKey, request.digest],
  )
  return rows[0]!
}

async function answerRequest(caller: Caller, request: AskedRequest, kept: KeptAnswer): Promise<void> {
  await caller.call(
    {
      name: 'millrace_answer_request',
      text: 'select millrace.answer_request($1, $2, $3, $4, $5, $6, $7)',
    },
    [
      request.who,
      request.idempotencyKey,
      request.digest,
      request.tenant,
      kept.status,
      kept.isKept ? kept.text : null,
      kept.isKept,
    ],
  )
}

/** Removes a batch of what is kept of requests and of no use any more; true where there may be more. */
export async function pruneRequests(caller: Caller, batch: number): Promise<boolean> {
  const rows = await caller.call<{ more: boolean }>(
    { name: 'millrace_prune_requests', text: 'select millrace.prune_requests($1) as more' },
    [batch],
  )
  return rows[0]!.more
}
