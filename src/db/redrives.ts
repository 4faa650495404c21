// The SQL functions that give failed runs fresh attempts, and that make new runs of others; and what failures have in common.
import type { RunState } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { Place } from './list-bounds.ts'
import { retryTransaction } from './transaction.ts'

/** How redriven runs go on; as it goes to the database. */
export interface RedriveRow {
  readonly id: string
  /** JSON text: either runs, or conditions. */
  readonly filter: string
  readonly restart: 'failed' | 'start' | 'step'
  readonly step: string | null
  readonly version: 'original' | 'latest'
  /** JSON text; null where the input stays. */
  readonly input: string | null
  readonly rate: number | null
  readonly reason: string | null
  readonly idempotencyKey: string | null
}

export interface RedriveAnswerRow {
  readonly created: boolean
  readonly redrive_id: string
  readonly total: number
  readonly done: number
  readonly refused: number
}

/** Orders failed runs to be redriven; up to 100 that are named are at once. @throws MillraceError run_unknown, argument_invalid, idempotency_conflict */
export async function startRedrive(caller: Caller, row: RedriveRow): Promise<RedriveAnswerRow> {
  const rows = await retryTransaction(() =>
    caller.call<RedriveAnswerRow>(
      {
        name: 'millrace_start_redrive',
        text: `select created, redrive_id, total, done, refused
          from millrace.start_redrive($1::jsonb, $2, $3, $4, $5::jsonb, $6::float8, $7, $8, $9::uuid)`,
      },
      [
        row.filter,
        row.restart,
        row.step,
        row.version,
        row.input,
        row.rate,
        row.reason,
        row.idempotencyKey,
        row.id,
      ],
    ),
  )
  return rows[0]!
}

export interface PlanRow {
  /** Why they would be refused; null of those that would be redriven. */
  readonly reason: string | null
  readonly runs: number
}

/** What a redrive would do now. @throws MillraceError argument_invalid */
export function planRedrive(
  caller: Caller,
  { filter, restart, step, version }: Pick<RedriveRow, 'filter' | 'restart' | 'step' | 'version'>,
): Promise<PlanRow[]> {
  return caller.call<PlanRow>(
    {
      name: 'millrace_plan_redrive',
      text: 'select reason, runs from millrace.plan_redrive($1::jsonb, $2, $3, $4)',
    },
    [filter, restart, step, version],
  )
}

export interface WorkAnswer {
  readonly worked: number
  /** Whether there is more to do at once. */
  readonly more: boolean
}

/** Carries out a batch of what people ordered to be redriven. */
export async function workRedrives(caller: Caller, most: number): Promise<WorkAnswer> {
  const rows = await caller.call<WorkAnswer>(
    { name: 'millrace_work_redrives', text: 'select worked, more from millrace.work_redrives($1)' },
    [most],
  )
  return rows[0]!
}

/** True where something was left to do. @throws MillraceError redrive_unknown */
export async function abortRedrive(caller: Caller, id: string): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ aborted: boolean }>(
      { name: 'millrace_abort_redrive', text: 'select millrace.abort_redrive($1) as aborted' },
      [id],
    ),
  )
  return rows[0]!.aborted
}

export interface RedriveStandingRow {
  readonly id: string
  readonly state: 'open' | 'completed' | 'aborted'
  readonly filter: Readonly<Record<string, unknown>>
  readonly restart: 'failed' | 'start' | 'step'
  readonly step: string | null
  readonly version: 'original' | 'latest'
  readonly rate: number | null
  readonly reason: string | null
  readonly total: number
  readonly done: number
  readonly refused: number
  readonly created_at: Date
  readonly created_by: string
  readonly finished_at: Date | null
  readonly aborted_by: string | null
}

const standing = `d.id, case when d.aborted_at is not null then 'aborted' when d.finished_at is not null then 'completed' else 'open' end as state,
  d.filter, d.restart, d.step, d.version, d.rate, d.reason, d.total, d.done, d.refused, d.created_at, d.created_by, d.finished_at, d.aborted_by`

export interface ListedRedriveRow extends RedriveStandingRow {
  /** When it was ordered, to the microsecond: where a page ended. */
  readonly position: string
}

export interface RedriveListFilter {
  /** Only those that are not done yet. */
  readonly open: boolean
  /** Only those that were ordered for this tenant. */
  readonly tenant?: string | undefined
  /** Only those that were ordered for one of these pipelines. */
  readonly pipelines?: readonly string[] | undefined
  /** Only those before this one. */
  readonly before?: Place | undefined
  readonly limit: number
}

/** Redrives, the newest first. */
export function listRedrives(
  caller: Caller,
  { open, tenant, pipelines, before, limit }: RedriveListFilter,
): Promise<ListedRedriveRow[]> {
  return caller.call<ListedRedriveRow>(
    {
      name: 'millrace_list_redrives',
      text: `select ${standing}, to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as position from millrace.redrive d
       where (not $1 or d.finished_at is null) and ($3::text is null or d.filter ->> 'tenant' = $3) and ($4::text[] is null or d.filter ->> 'pipeline' = any ($4))
         and ($5::timestamptz is null or (d.created_at, d.id) < ($5, $6::uuid))
       order by d.created_at desc, d.id desc limit $2`,
    },
    [open, limit, tenant ?? null, pipelines ?? null, ...(before ?? [null, null])],
  )
}

/** One redrive; undefined for an unknown one. */
export async function readRedrive(caller: Caller, id: string): Promise<RedriveStandingRow | undefined> {
  const rows = await caller.call<RedriveStandingRow>(
    { name: 'millrace_read_redrive', text: `select ${standing} from millrace.redrive d where d.id = $1` },
    [id],
  )
  return rows[0]
}

export interface RedriveItemRow {
  readonly run_id: string
  readonly state: 'open' | 'done' | 'refused'
  /** Why it was refused: a word, and a sentence. */
  readonly reason: string | null
  readonly detail: string | null
  /** The run that took its place; null where it goes on itself. */
  readonly new_run_id: string | null
}

/** What became of the runs of a redrive: those that were refused first. */
export function listRedriveItems(caller: Caller, id: string, limit: number): Promise<RedriveItemRow[]> {
  return caller.call<RedriveItemRow>(
    {
      name: 'millrace_list_redrive_items',
      text: `select i.run_id, i.state, i.reason, i.detail, i.new_run_id from millrace.redrive_item i
        where i.redrive_id = $1 order by i.state desc, i.run_id limit $2`,
    },
    [id, limit],
  )
}

export interface CopyRow {
  readonly created: boolean
  /** null where it was refused. */
  readonly new_run: string | null
  /** Why there is no new run: a word; `repeated` where this call made it before. */
  readonly refusal: string | null
  readonly detail: string | null
}

/** @throws MillraceError run_unknown, argument_invalid, idempotency_conflict, key_value_missing */
export async function forkRun(
  caller: Caller,
  fork: {
    readonly runId: string
    readonly step: string
    readonly newRunId: string
    readonly version: 'original' | 'latest'
    readonly input: string | null
    readonly keepCheckpoints: boolean
    readonly reason: string | null
  },
): Promise<CopyRow> {
  const rows = await retryTransaction(() =>
    caller.call<CopyRow>(
      {
        name: 'millrace_fork_run',
        text: 'select created, new_run, refusal, detail from millrace.fork_run($1, $2, $3::uuid, $4, $5::jsonb, $6, $7)',
      },
      [fork.runId, fork.step, fork.newRunId, fork.version, fork.input, fork.keepCheckpoints, fork.reason],
    ),
  )
  return rows[0]!
}

/** @throws MillraceError run_unknown, argument_invalid, idempotency_conflict, key_value_missing */
export async function rerunRun(
  caller: Caller,
  rerun: {
    readonly runId: string
    readonly newRunId: string
    readonly version: 'original' | 'latest'
    readonly input: string | null
    readonly reason: string | null
  },
): Promise<CopyRow> {
  const rows = await retryTransaction(() =>
    caller.call<CopyRow>(
      {
        name: 'millrace_rerun_run',
        text: 'select created, new_run, refusal, detail from millrace.rerun_run($1, $2::uuid, $3, $4::jsonb, $5)',
      },
      [rerun.runId, rerun.newRunId, rerun.version, rerun.input, rerun.reason],
    ),
  )
  return rows[0]!
}

export interface FailureRow {
  readonly fingerprint: string
  readonly pipeline: string
  readonly step: string | null
  readonly code: string | null
  /** That of the latest. */
  readonly message: string | null
  readonly runs: number
  readonly first_at: Date
  readonly last_at: Date
  readonly last_run_id: string
  readonly last_state: RunState
}

/** The dead letters in groups that have their fingerprint in common, the largest first. */
export function listFailures(
  caller: Caller,
  filter: {
    readonly pipeline: string | null
    readonly tenant: string | null
    readonly since: Date | null
    /** Only of these. */
    readonly pipelines?: readonly string[] | undefined
    readonly limit: number
  },
): Promise<FailureRow[]> {
  return caller.call<FailureRow>(
    {
      name: 'millrace_list_failures',
      text: `select g.fingerprint, g.pipeline, last.step, last.error ->> 'code' as code, last.error ->> 'message' as message, g.runs,
               g.first_at, g.last_at, last.run_id as last_run_id, r.state as last_state
          from (select coalesce(l.fingerprint, '') as fingerprint, l.slug as pipeline, count(*)::int as runs,
                       min(l.failed_at) as first_at, max(l.failed_at) as last_at, (array_agg(l.run_id order by l.failed_at desc, l.run_id desc))[1] as last_run
                  from millrace.dead_letter l
                 where ($1::text is null or l.slug = $1) and ($2::text is null or l.tenant = $2) and ($3::timestamptz is null or l.failed_at >= $3)
                   and ($5::text[] is null or l.slug = any ($5))
                 group by 1, 2) g
          join millrace.dead_letter last on last.run_id = g.last_run
          join millrace.run r on r.id = g.last_run
         order by g.runs desc, g.last_at desc, g.fingerprint limit $4`,
    },
    [filter.pipeline, filter.tenant, filter.since, filter.limit, filter.pipelines ?? null],
  )
}
