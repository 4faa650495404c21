// The SQL functions of callbacks: what is told to other servers when runs end, and what became of it.
import type { Caller } from './call.ts'
import type { ListBounds, Place } from './list-bounds.ts'
import { retryTransaction } from './transaction.ts'

export type CallbackEnd = 'completed' | 'failed' | 'cancelled'

/** A callback as the database takes it. */
export interface CallbackRow {
  readonly url: string
  readonly secret: string
  /** All ends where none are named. */
  readonly events?: readonly CallbackEnd[]
}

/** Runs of whose ends the same addresses are told. */
export interface ToldRuns {
  readonly runs: readonly string[]
  readonly callbacks: readonly CallbackRow[]
}

/** Has addresses told of the end of runs; answers how many callbacks are new. @throws MillraceError run_unknown, argument_invalid */
export async function addCallbacks(caller: Caller, told: readonly ToldRuns[]): Promise<number> {
  const rows = await caller.call<{ added: number }>(
    {
      name: 'millrace_add_callbacks',
      text: `select sum(millrace.add_callbacks(array(select jsonb_array_elements_text(t.runs)::uuid), t.callbacks)) as added
               from jsonb_to_recordset($1::jsonb) t(runs jsonb, callbacks jsonb)`,
    },
    [JSON.stringify(told)],
  )
  return Number(rows[0]!.added)
}

/** Keeps what code declares for its pipelines, as a set. @throws MillraceError argument_invalid */
export async function defineCodeCallbacks(
  caller: Caller,
  callbacks: Readonly<Record<string, readonly CallbackRow[]>>,
  slugs: readonly string[],
): Promise<void> {
  await retryTransaction(() =>
    caller.call(
      { name: 'millrace_define_code_callbacks', text: 'select millrace.define_code_callbacks($1, $2)' },
      [JSON.stringify(callbacks), slugs],
    ),
  )
}

/** What is to be sent, and by whom it is signed. */
export interface ClaimedCallback {
  readonly id: string
  readonly claim: number
  readonly url: string
  /** The name of the secret. */
  readonly secret: string
  readonly sent_at: Date
  readonly body: unknown
}

export function claimCallbacks(caller: Caller, batch: number): Promise<ClaimedCallback[]> {
  return retryTransaction(() =>
    caller.call<ClaimedCallback>(
      {
        name: 'millrace_claim_callbacks',
        text: 'select id, claim, url, secret, sent_at, body from millrace.claim_callbacks($1)',
      },
      [batch],
    ),
  )
}

/** What came of one attempt. */
export interface CallbackAttempt {
  readonly id: string
  readonly claim: number
  readonly status: number | null
  /** A few words, where no status says it. */
  readonly reason: string | null
  readonly durationMs: number
  /** No later attempt would go otherwise. */
  readonly isFinal: boolean
  readonly retryAfterMs: number | null
  /** From [0, 1), for the jitter of the next attempt. */
  readonly draw: number
}

export type CallbackVerdict = 'delivered' | 'disabled' | 'given_up' | 'again' | 'stale' | 'gone'

export async function recordCallback(caller: Caller, attempt: CallbackAttempt): Promise<CallbackVerdict> {
  const rows = await retryTransaction(() =>
    caller.call<{ verdict: CallbackVerdict }>(
      {
        name: 'millrace_record_callback',
        text: 'select millrace.record_callback($1, $2, $3, $4, $5, $6, $7, $8) as verdict',
      },
      [
        attempt.id,
        attempt.claim,
        attempt.status,
        attempt.reason,
        attempt.durationMs,
        attempt.isFinal,
        attempt.retryAfterMs,
        attempt.draw,
      ],
    ),
  )
  return rows[0]!.verdict
}

/** @throws MillraceError callback_unknown */
export async function resendCallback(caller: Caller, id: string): Promise<void> {
  await retryTransaction(() =>
    caller.call({ name: 'millrace_resend_callback', text: 'select millrace.resend_callback($1)' }, [id]),
  )
}

export interface DeliveryAttemptRow {
  readonly number: number
  readonly at: string
  readonly duration_ms: number
  readonly status: number | null
  readonly reason: string | null
}

export interface DeliveryRow {
  readonly id: string
  readonly run_id: string
  readonly pipeline: string
  readonly url: string
  readonly secret: string
  readonly ended: CallbackEnd
  readonly ended_at: Date
  readonly queued_at: Date
  readonly due_at: Date | null
  readonly failed_attempts: number
  readonly delivered_at: Date | null
  readonly given_up_at: Date | null
  readonly reason: string | null
  readonly disabled: boolean
  readonly attempts: readonly DeliveryAttemptRow[]
}

export interface ListedDeliveryRow extends DeliveryRow {
  /** When it was queued, to the microsecond: where a page ended. */
  readonly position: string
}

/** The deliveries, the newest first, each with its attempts. */
export function listDeliveries(
  caller: Caller,
  filter: {
    readonly id: string | null
    readonly runId: string | null
    readonly open: boolean | null
    /** Only those behind this one. */
    readonly after?: Place | undefined
    readonly limit: number
  } & Omit<ListBounds, 'after' | 'limit'>,
): Promise<ListedDeliveryRow[]> {
  return caller.call<ListedDeliveryRow>(
    {
      name: 'millrace_list_callback_deliveries',
      text: `select d.id, d.run_id, r.slug as pipeline, d.url, d.secret, d.ended, d.ended_at, d.queued_at, d.due_at, d.attempts as failed_attempts,
                    d.delivered_at, d.given_up_at, d.reason, c.disabled_at is not null as disabled,
                    coalesce((select jsonb_agg(jsonb_build_object('number', a.number, 'at', a.at, 'duration_ms', a.duration_ms, 'status', a.status,
                      'reason', a.reason) order by a.number) from millrace.callback_attempt a where a.delivery_id = d.id), '[]') as attempts,
                    to_char(d.queued_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as position
               from millrace.callback_delivery d
               join millrace.run r on r.id = d.run_id
               left join millrace.callback c on c.id = d.callback_id
              where ($1::uuid is null or d.id = $1) and ($2::uuid is null or d.run_id = $2)
                and ($3::boolean is null or (d.delivered_at is null) = $3)
                and ($5::text is null or r.tenant = $5) and ($6::text[] is null or r.slug = any ($6))
                and ($7::timestamptz is null or d.queued_at < $7 or (d.queued_at = $7 and d.id > $8::uuid))
              order by d.queued_at desc, d.id limit $4`,
    },
    [
      filter.id,
      filter.runId,
      filter.open,
      filter.limit,
      filter.tenant ?? null,
      filter.pipelines ?? null,
      ...(filter.after ?? [null, null]),
    ],
  )
}
