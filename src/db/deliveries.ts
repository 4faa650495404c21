// The SQL functions of deliveries: received in batches, listed, read for a replay, pruned, encrypted anew.
import type { DeliveryOutcome, DeliveryState } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { Place } from './list-bounds.ts'
import { retryTransaction } from './transaction.ts'

/** A delivery that was judged, as it goes to the database. */
export interface DeliveryRow {
  readonly id: string
  /** Empty for a name that no webhook has. */
  readonly webhook: string
  readonly provider_id: string | null
  readonly tenant: string | null
  readonly state: DeliveryState
  readonly status: number
  readonly reason: string | null
  readonly problem: string | null
  readonly content_type: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly source_ip: string | null
  readonly sealed_body: unknown
  readonly body_bytes: number | null
  /** In hex. */
  readonly body_digest: string | null
  readonly replay_of: string | null
  /** Of a replay: what the other was when it was read. One that has been accepted since is not started again. */
  readonly seen_state: DeliveryState | null
  /** Of a replay: also where one has answered it before. */
  readonly again: boolean
}

/** What an accepted delivery is to start; the input is JSON text. */
export interface DeliveryStartRow {
  /** That of the delivery, from 1. */
  readonly place: number
  readonly runId: string
  readonly slug: string
  readonly version: number | null
  readonly input: string
}

export interface DeliveryAnswerRow {
  readonly place: number
  /** Null of a refused one that was only counted. */
  readonly delivery_id: string | null
  readonly state: DeliveryState
  readonly status: number
  readonly reason: string | null
  /** It was accepted before: this is the answer of then. */
  readonly is_repeat: boolean
  readonly retry_after_seconds: number | null
}

/** Receives deliveries in one transaction, and starts their runs; answers in their order. @throws MillraceError webhook_unknown, and those of startRuns */
export function receiveDeliveries(
  caller: Caller,
  deliveries: readonly DeliveryRow[],
  bodies: ReadonlyArray<Uint8Array | null>,
  starts: readonly DeliveryStartRow[],
): Promise<DeliveryAnswerRow[]> {
  // Written by hand: an input is JSON text already.
  const startTexts = starts.map(
    ({ place, runId, slug, version, input }) =>
      `{"place":${place},"run_id":"${runId}","slug":${JSON.stringify(slug)},"version":${version},"input":${input}}`,
  )
  return caller.call<DeliveryAnswerRow>(
    {
      name: 'millrace_receive_deliveries',
      text: `select place, delivery_id, state, status, reason, is_repeat, retry_after_seconds
        from millrace.receive_deliveries($1::jsonb, $2::bytea[], $3::jsonb)`,
    },
    [JSON.stringify(deliveries), bodies, `[${startTexts.join(',')}]`],
  )
}

export interface DeliveryFilter {
  readonly webhook?: string | undefined
  readonly state?: DeliveryState | undefined
  readonly since?: Date | undefined
  readonly until?: Date | undefined
}

export interface DeliveryListRow {
  readonly id: string
  readonly webhook: string
  readonly provider_id: string | null
  readonly tenant: string | null
  readonly received_at: Date
  readonly judged_at: Date
  readonly tries: number
  readonly repeats: number
  readonly state: DeliveryState
  readonly status: number
  readonly reason: string | null
  readonly problem: string | null
  readonly content_type: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly source_ip: string | null
  readonly body_bytes: number | null
  readonly body_digest: string | null
  readonly replay_of: string | null
  readonly replays: readonly string[]
  readonly runs: ReadonlyArray<{
    readonly pipeline: string
    readonly outcome: DeliveryOutcome
    readonly run_id: string | null
    readonly rule: string | null
    readonly passes_at: string | null
  }>
}

const listed = `d.id, d.webhook, d.provider_id, d.tenant, d.received_at, d.judged_at, d.tries, d.repeats, d.state, d.status, d.reason, d.problem,
  d.content_type, d.headers, host(d.source_ip) as source_ip, d.body_bytes, encode(d.body_digest, 'hex') as body_digest, d.replay_of,
  array(select r.id::text from millrace.delivery r where r.replay_of = d.id order by r.received_at) as replays,
  coalesce((select jsonb_agg(jsonb_build_object('pipeline', l.pipeline, 'outcome', l.outcome, 'run_id', l.run_id, 'rule', l.rule, 'passes_at', l.passes_at)
                             order by l.pipeline) from millrace.delivery_run l where l.delivery_id = d.id), '[]') as runs`

export interface ListedDeliveryRow extends DeliveryListRow {
  /** When it was received, to the microsecond: where a page ended. */
  readonly position: string
}

/** The newest first, behind one of them. */
export function listDeliveries(
  caller: Caller,
  { webhook, state, since, until }: DeliveryFilter,
  most: number,
  after?: Place,
): Promise<ListedDeliveryRow[]> {
  return caller.call<ListedDeliveryRow>(
    {
      name: 'millrace_list_deliveries',
      text: `select ${listed}, to_char(d.received_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as position from millrace.delivery d
        where ($1::text is null or d.webhook = $1) and ($2::text is null or d.state = $2)
          and ($3::timestamptz is null or d.received_at >= $3) and ($4::timestamptz is null or d.received_at < $4)
          and ($6::timestamptz is null or (d.received_at, d.id) < ($6, $7::uuid))
        order by d.received_at desc, d.id desc limit $5`,
    },
    [webhook ?? null, state ?? null, since ?? null, until ?? null, most, ...(after ?? [null, null])],
  )
}

/** Undefined where there is none. */
export async function findDelivery(caller: Caller, id: string): Promise<DeliveryListRow | undefined> {
  const rows = await caller.call<DeliveryListRow>(
    { name: 'millrace_find_delivery', text: `select ${listed} from millrace.delivery d where d.id = $1` },
    [id],
  )
  return rows[0]
}

/** A delivery with what was sent. */
export interface StoredDelivery {
  readonly id: string
  readonly webhook: string
  readonly provider_id: string | null
  readonly received_at: Date
  readonly state: DeliveryState
  readonly content_type: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly source_ip: string | null
  readonly body: Buffer | null
  readonly sealed_body: unknown
  readonly body_bytes: number | null
  readonly body_digest: string | null
}

const replayable = `d.replay_of is null and num_nonnulls(d.body, d.sealed_body) = 1
  and ($1::text[] is null or d.webhook = any ($1)) and ($2::text is null or d.state = $2)
  and ($3::timestamptz is null or d.received_at >= $3) and ($4::timestamptz is null or d.received_at < $4)
  and ($5 or not exists (select from millrace.delivery r where r.replay_of = d.id and r.state in ('accepted', 'filtered')))`

export interface ReplayFilter extends Omit<DeliveryFilter, 'webhook'> {
  readonly webhooks: readonly string[] | undefined
  /** Also those that a replay has answered. */
  readonly again: boolean
}

/** How many deliveries a replay by filter would judge once more, counted up to a number. */
export async function countReplayable(caller: Caller, filter: ReplayFilter, most: number): Promise<number> {
  const rows = await caller.call<{ n: number }>(
    {
      name: 'millrace_count_replayable',
      text: `select count(*)::float8 as n from (select from millrace.delivery d where ${replayable} limit $6) counted`,
    },
    [...filterValues(filter), most],
  )
  return rows[0]!.n
}

/** The ids of what a replay by filter judges once more, the oldest first. */
export async function listReplayable(caller: Caller, filter: ReplayFilter, most: number): Promise<string[]> {
  const rows = await caller.call<{ id: string }>(
    {
      name: 'millrace_list_replayable',
      text: `select d.id from millrace.delivery d where ${replayable} order by d.received_at, d.id limit $6`,
    },
    [...filterValues(filter), most],
  )
  return rows.map(({ id }) => id)
}

function filterValues({ webhooks, state, since, until, again }: ReplayFilter): unknown[] {
  return [webhooks ?? null, state ?? null, since ?? null, until ?? null, again]
}

export async function readDelivery(caller: Caller, id: string): Promise<StoredDelivery | undefined> {
  const rows = await caller.call<StoredDelivery>(
    {
      name: 'millrace_read_delivery',
      text: `select o.id, o.webhook, o.provider_id, o.received_at, o.state, o.content_type, o.headers, host(o.source_ip) as source_ip, o.body, o.sealed_body,
          o.body_bytes, encode(o.body_digest, 'hex') as body_digest
        from millrace.delivery d join millrace.delivery o on o.id = coalesce(d.replay_of, d.id) where d.id = $1`,
    },
    [id],
  )
  return rows[0]
}

/** True where there may be more. */
export async function pruneDeliveries(caller: Caller, batch: number): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ more: boolean }>(
      { name: 'millrace_prune_deliveries', text: 'select millrace.prune_deliveries($1) as more' },
      [batch],
    ),
  )
  return rows[0]!.more
}

export interface SealedDeliveryRow {
  readonly id: string
  readonly webhook: string
  readonly provider_id: string | null
  readonly sealed_body: unknown
}

/** The bodies of deliveries that are encrypted with another key than this one, a few at a time. */
export function readSealedDeliveries(
  caller: Caller,
  key: string,
  after: string | null,
): Promise<SealedDeliveryRow[]> {
  return caller.call<SealedDeliveryRow>(
    {
      name: 'millrace_read_sealed_deliveries',
      text: 'select id, webhook, provider_id, sealed_body from millrace.read_sealed_deliveries($1, $2::uuid)',
    },
    [key, after],
  )
}

/** Answers how many still held what was read, and were written. */
export async function writeSealedDeliveries(
  caller: Caller,
  resealed: ReadonlyArray<{ readonly row: SealedDeliveryRow; readonly value: string }>,
): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ written: number }>(
      {
        name: 'millrace_write_sealed_deliveries',
        text: 'select millrace.write_sealed_deliveries($1::uuid[], $2::jsonb[], $3::jsonb[]) as written',
      },
      [
        resealed.map(({ row }) => row.id),
        resealed.map(({ row }) => JSON.stringify(row.sealed_body)),
        resealed.map(({ value }) => value),
      ],
    ),
  )
  return rows[0]!.written
}
