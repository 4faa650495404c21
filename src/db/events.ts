// The SQL functions of emitted events and of subscriptions to them.
import type { Caller } from './call.ts'
import { boundValues, type ListBounds } from './list-bounds.ts'
import { retryTransaction } from './transaction.ts'

/** Answers the id of the event: a new one, or that of the same idempotency key. @throws MillraceError argument_invalid, run_unknown */
export async function emit(
  caller: Caller,
  event: {
    readonly name: string
    /** JSON text. */
    readonly payload: string | null
    readonly tenant: string | null
    readonly idempotencyKey: string | null
    readonly runId: string | null
    readonly step: string | null
  },
): Promise<string> {
  const rows = await caller.call<{ id: string | number }>(
    {
      name: 'millrace_emit',
      text: 'select millrace.emit($1::text, $2::jsonb, $3::text, $4::text, $5::uuid, $6::text) as id',
    },
    [event.name, event.payload, event.tenant, event.idempotencyKey, event.runId, event.step],
  )
  return String(rows[0]!.id)
}

/** Starts the runs of the next events. */
export async function workEvents(
  caller: Caller,
  batch: number,
): Promise<{ readonly settled: number; readonly more: boolean }> {
  const rows = await retryTransaction(() =>
    caller.call<{ settled: number; more: boolean }>(
      { name: 'millrace_work_events', text: 'select settled, more from millrace.work_events($1)' },
      [batch],
    ),
  )
  return rows[0]!
}

/** What became of an event for one subscription. */
export interface EventStartRow {
  readonly subscription: string
  readonly pipeline: string
  readonly run: string | null
  readonly refusal: string | null
  readonly detail: string | null
}

export interface EventRow {
  readonly id: string
  readonly name: string
  readonly payload: unknown
  readonly tenant: string | null
  readonly emitted_at: Date
  readonly emitted_by: string
  readonly run_id: string | null
  readonly step: string | null
  readonly depth: number
  readonly settled_at: Date | null
  readonly starts: readonly EventStartRow[]
}

/** The events, the newest first, each with what it started. */
export function listEvents(
  caller: Caller,
  filter: {
    readonly name: string | null
    readonly before: string | null
    readonly limit: number
    readonly tenant?: string | undefined
  },
): Promise<EventRow[]> {
  return caller.call<EventRow>(
    {
      name: 'millrace_list_events',
      text: `select e.id::text as id, e.name, e.payload, e.tenant, e.emitted_at, e.emitted_by, e.run_id, e.step, cardinality(e.chain) as depth, e.settled_at,
                    coalesce((select jsonb_agg(jsonb_build_object('subscription', s.name, 'pipeline', s.slug, 'run', g.run_id, 'refusal', g.refusal,
                      'detail', g.detail) order by s.id)
                      from millrace.event_start g join millrace.subscription s on s.id = g.subscription_id where g.event_id = e.id), '[]') as starts
               from millrace.emitted_event e
              where ($1::text is null or e.name = $1) and ($2::bigint is null or e.id < $2)
                and ($4::text is null or e.tenant = $4)
              order by e.id desc limit $3`,
    },
    [filter.name, filter.before, filter.limit, filter.tenant ?? null],
  )
}

/** What a subscription says, as the database takes it. */
export interface SubscriptionSettings {
  readonly event: string
  readonly pipeline: string
  readonly tenant?: string
  /** What the payload must contain. */
  readonly filter?: Readonly<Record<string, unknown>>
  /** The fields of the input, each with its path into the payload. */
  readonly map?: Readonly<Record<string, readonly string[]>>
}

/** Answers its revision. @throws MillraceError argument_invalid, pipeline_unknown, revision_conflict */
export async function defineSubscription(
  caller: Caller,
  name: string,
  settings: SubscriptionSettings,
  ifRevision: number | null = null,
): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ revision: number }>(
      {
        name: 'millrace_define_subscription',
        text: 'select millrace.define_subscription($1, $2, expected_revision => $3) as revision',
      },
      [name, JSON.stringify(settings), ifRevision],
    ),
  )
  return rows[0]!.revision
}

export interface CodeSubscriptionAnswer {
  readonly name: string
  readonly change: 'defined' | 'same' | 'retired' | 'operator'
  readonly revision: number
}

/** Defines what code declares for these pipelines, as a set. @throws MillraceError argument_invalid, pipeline_unknown */
export function defineCodeSubscriptions(
  caller: Caller,
  subscriptions: ReadonlyArray<{ readonly name: string; readonly settings: SubscriptionSettings }>,
  slugs: readonly string[],
): Promise<CodeSubscriptionAnswer[]> {
  return retryTransaction(() =>
    caller.call<CodeSubscriptionAnswer>(
      {
        name: 'millrace_define_code_subscriptions',
        text: 'select name, change, revision from millrace.define_code_subscriptions($1, $2)',
      },
      [JSON.stringify(subscriptions), slugs],
    ),
  )
}

/** True where that changed it. @throws MillraceError subscription_unknown, revision_conflict */
export async function pauseSubscription(
  caller: Caller,
  name: string,
  paused: boolean,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ changed: boolean }>(
      {
        name: 'millrace_pause_subscription',
        text: 'select millrace.pause_subscription($1, $2, $3) as changed',
      },
      [name, paused, ifRevision],
    ),
  )
  return rows[0]!.changed
}

/** @throws MillraceError subscription_unknown, revision_conflict */
export async function removeSubscription(
  caller: Caller,
  name: string,
  ifRevision: number | null = null,
): Promise<void> {
  await retryTransaction(() =>
    caller.call(
      { name: 'millrace_remove_subscription', text: 'select millrace.remove_subscription($1, $2)' },
      [name, ifRevision],
    ),
  )
}

export interface SubscriptionRow {
  readonly name: string
  readonly event: string
  readonly pipeline: string
  readonly tenant: string | null
  readonly filter: Readonly<Record<string, unknown>> | null
  readonly map: Readonly<Record<string, readonly string[]>> | null
  readonly source: 'code' | 'operator'
  readonly revision: number
  readonly paused_at: Date | null
  readonly changed_at: Date
  readonly changed_by: string
}

/** The subscriptions by name, to all events or to one. */
export function listSubscriptions(
  caller: Caller,
  event: string | null,
  { name, ...bounds }: ListBounds & { readonly name?: string } = {},
): Promise<SubscriptionRow[]> {
  return caller.call<SubscriptionRow>(
    {
      name: 'millrace_list_subscriptions',
      text: `select s.name, s.event, s.slug as pipeline, s.tenant, s.filter, s.input_paths as map, s.source, s.revision, s.paused_at, s.changed_at,
                    s.changed_by
               from millrace.subscription s where s.retired_at is null and ($1::text is null or s.event = $1)
                and ($2::text is null or s.tenant = $2) and ($3::text[] is null or s.slug = any ($3)) and ($4::text is null or s.name > $4)
                and ($6::text is null or s.name = $6)
              order by s.name limit $5`,
    },
    [event, ...boundValues(bounds), name ?? null],
  )
}
