// The SQL functions of schedules: define, steer and evaluate them; their rows as they stand.
import type { StoredExpectation } from '../core/expectation.ts'
import type { EvaluatedSchedule, Evaluation } from '../core/due-slots.ts'
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

export type Overlap = 'skip' | 'queue_one' | 'queue_all' | 'cancel_other' | 'allow'
type CatchUp = 'none' | 'last' | 'all'

/** A schedule's settings as the database takes them. */
export interface ScheduleSettings {
  readonly tenant?: string
  readonly cron?: string
  readonly timezone?: string
  readonly every_ms?: number
  readonly every_from?: string
  readonly input?: unknown
  readonly priority?: number
  readonly starts_at?: string
  readonly ends_at?: string
  readonly jitter_ms?: number
  readonly overlap?: Overlap
  readonly catch_up?: CatchUp
  readonly catch_up_max?: number
  readonly catch_up_window_ms?: number
  readonly stagger_ms?: number
  readonly pause_after?: number
  readonly expect?: StoredExpectation
  readonly deadline_ms?: number
  readonly verify_within_ms?: number
  readonly ping_secret?: string
  readonly ping_url?: string
}

export interface ScheduleDefinition {
  readonly name: string
  readonly slug: string
  readonly settings: ScheduleSettings
}

/** Defines a schedule, or changes it; answers its revision. @throws MillraceError schedule_invalid, pipeline_unknown, revision_conflict */
export async function defineSchedule(
  caller: Caller,
  { name, slug, settings }: ScheduleDefinition,
  ifRevision: number | null = null,
): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ revision: number }>(
      {
        name: 'millrace_define_schedule',
        text: `select millrace.define_schedule($1, $2, $3::jsonb, expected_revision => $4) as revision`,
      },
      [name, slug, JSON.stringify(settings), ifRevision],
    ),
  )
  return rows[0]!.revision
}

export interface CodeScheduleAnswer {
  readonly name: string
  /** An operator's is left as it is. */
  readonly change: 'defined' | 'same' | 'removed' | 'operator'
  readonly revision: number
}

/** Defines all schedules that code declares for these pipelines, and removes what it declared before. @throws MillraceError schedule_invalid */
export function defineCodeSchedules(
  caller: Caller,
  schedules: readonly ScheduleDefinition[],
  slugs: readonly string[],
): Promise<CodeScheduleAnswer[]> {
  return retryTransaction(() =>
    caller.call<CodeScheduleAnswer>(
      {
        name: 'millrace_define_code_schedules',
        text: 'select name, change, revision from millrace.define_code_schedules($1::jsonb, $2)',
      },
      [JSON.stringify(schedules), slugs],
    ),
  )
}

/** True where there was one. @throws MillraceError revision_conflict */
export async function removeSchedule(
  caller: Caller,
  name: string,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_remove_schedule', text: 'select millrace.remove_schedule($1, $2) as changed' },
    [name, ifRevision],
  )
  return rows[0]!.changed
}

/** True where it was not paused. @throws MillraceError schedule_unknown, revision_conflict, argument_invalid */
export async function pauseSchedule(
  caller: Caller,
  name: string,
  reason: string | null,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_pause_schedule', text: 'select millrace.pause_schedule($1, $2, $3) as changed' },
    [name, reason, ifRevision],
  )
  return rows[0]!.changed
}

/** True where it was paused. @throws MillraceError schedule_unknown, revision_conflict */
export async function resumeSchedule(
  caller: Caller,
  name: string,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ changed: boolean }>(
      { name: 'millrace_resume_schedule', text: 'select millrace.resume_schedule($1, $2) as changed' },
      [name, ifRevision],
    ),
  )
  return rows[0]!.changed
}

export interface TriggeredRow {
  readonly firing_id: number
  readonly state: string
  readonly reason: string | null
  readonly refusal: string | null
  readonly run_id: string | null
  readonly blocked_by: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Fires a schedule now. @throws MillraceError schedule_unknown, argument_invalid */
export async function triggerSchedule(
  caller: Caller,
  name: string,
  { input, overlap }: { readonly input: string | null; readonly overlap: Overlap | null },
): Promise<TriggeredRow> {
  const rows = await retryTransaction(() =>
    caller.call<TriggeredRow>(
      {
        name: 'millrace_trigger_schedule',
        text: `select firing_id, state, reason, refusal, run_id, blocked_by, error
                 from millrace.trigger_schedule($1, $2::jsonb, $3)`,
      },
      [name, input, overlap],
    ),
  )
  return rows[0]!
}

export interface BackfilledRow {
  readonly queued: number
  readonly fired_before: number
}

/** Fires slots of the past, at most 10,000. @throws MillraceError schedule_unknown, argument_invalid */
export async function backfillSchedule(
  caller: Caller,
  name: string,
  slots: readonly Date[],
  how: { readonly overlap: 'queue_all' | 'allow'; readonly staggerMs: number; readonly dryRun: boolean },
): Promise<BackfilledRow> {
  const rows = await retryTransaction(() =>
    caller.call<BackfilledRow>(
      {
        name: 'millrace_backfill_schedule',
        text: 'select queued, fired_before from millrace.backfill_schedule($1, $2::timestamptz[], $3, $4, $5)',
      },
      [name, slots.map((slot) => slot.toISOString()), how.overlap, how.staggerMs, how.dryRun],
    ),
  )
  return rows[0]!
}

/** Schedules that are due by the database's clock, and what it says. */
export async function dueSchedules(
  caller: Caller,
  most: number,
): Promise<Array<EvaluatedSchedule & { readonly at: Date }>> {
  return await caller.call(
    {
      name: 'millrace_due_schedules',
      text: `select id, revision, cron, timezone, every_ms, every_from, starts_at, ends_at, offset_ms, catch_up, catch_up_max, catch_up_window_ms,
                    stagger_ms, passed_from, passed_until, former, evaluated_at, at
               from millrace.due_schedules($1)`,
    },
    [most],
  )
}

/** Writes down what evaluations came to, and starts what is to start; answers how many of them held. */
export async function fireSchedules(caller: Caller, evaluations: readonly Evaluation[]): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ held: number }>(
      { name: 'millrace_fire_schedules', text: 'select millrace.fire_schedules($1::jsonb) as held' },
      [JSON.stringify(evaluations)],
    ),
  )
  return rows[0]!.held
}

export interface ScheduleRow {
  readonly id: number
  readonly name: string
  readonly pipeline: string
  readonly tenant: string | null
  readonly cron: string | null
  readonly timezone: string | null
  readonly every_ms: number | null
  readonly every_from: Date | null
  readonly input: unknown
  readonly priority: number
  readonly starts_at: Date | null
  readonly ends_at: Date | null
  readonly jitter_ms: number
  readonly offset_ms: number
  readonly overlap: Overlap
  readonly catch_up: CatchUp
  readonly catch_up_max: number
  readonly catch_up_window_ms: number
  readonly stagger_ms: number
  readonly pause_after: number | null
  readonly expect: unknown
  readonly deadline_ms: number | null
  readonly verify_within_ms: number | null
  readonly ping_secret: string | null
  readonly ping_url: string | null
  /** Of the last ping that failed and was not sent since. */
  readonly ping_error: string | null
  readonly source: 'code' | 'operator'
  readonly revision: number
  readonly changed_at: Date
  readonly changed_by: string
  readonly paused_at: Date | null
  readonly paused_by: string | null
  readonly pause_reason: string | null
  readonly fault: { readonly code: string; readonly message: string } | null
  readonly next_slot_at: Date | null
  readonly failures: number
  readonly last: FiringRow | null
}

export interface FiringRow {
  readonly id: number
  readonly slot_at: Date
  readonly until_slot_at: Date | null
  readonly slots: number
  readonly kind: string
  readonly state: string
  readonly reason: string | null
  readonly refusal: string | null
  readonly run_id: string | null
  readonly blocked_by: string | null
  readonly late_ms: number
  readonly fired_at: Date
  readonly fired_by: string
  readonly started_at: Date | null
  readonly ended_at: Date | null
  readonly closed_at: Date | null
  readonly deadline_at: Date | null
  readonly overdue_at: Date | null
  readonly verified_at: Date | null
  readonly verification: unknown
  readonly error: { readonly code?: string; readonly message?: string } | null
}

type TimesAsText<Value> = Value extends Date ? string : Value

/** What `to_jsonb` gives of a firing: its times are texts. */
export type LastFiring = { readonly [Key in keyof FiringRow]: TimesAsText<FiringRow[Key]> }

/** The schedules that are not removed, by name, after one of them; or the one of a name. */
export function listSchedules(
  caller: Caller,
  filter: {
    readonly name: string | null
    readonly pipeline: string | null
    readonly tenant: string | null
    readonly after: string | null
    readonly most: number
    /** Only those of these. */
    readonly pipelines?: readonly string[] | undefined
  },
): Promise<Array<Omit<ScheduleRow, 'last'> & { readonly last: LastFiring | null }>> {
  return caller.call(
    {
      name: 'millrace_list_schedules',
      text: `select s.id, s.name, s.slug as pipeline, s.tenant, s.cron, s.timezone, s.every_ms, s.every_from, s.input, s.priority, s.starts_at, s.ends_at,
                    s.jitter_ms, s.offset_ms, s.overlap, s.catch_up, s.catch_up_max, s.catch_up_window_ms, s.stagger_ms, s.pause_after, s.expect,
                    s.deadline_ms, s.verify_within_ms, s.ping_secret, s.ping_url, s.source, s.revision, s.changed_at, s.changed_by, s.paused_at,
                    s.paused_by, s.pause_reason, s.fault, s.next_slot_at, s.failures,
                    (select p.error ->> 'message' from millrace.ping p where p.schedule_id = s.id and p.error is not null order by p.id desc limit 1) as ping_error,
                    (select to_jsonb(f) from millrace.firing f where f.schedule_id = s.id order by f.id desc limit 1) as last
               from millrace.schedule s
              where s.retired_at is null and ($1::text is null or s.name = $1) and ($2::text is null or s.slug = $2)
                and ($3::text is null or s.tenant = $3) and ($4::text is null or s.name > $4)
                and ($6::text[] is null or s.slug = any ($6))
              order by s.name limit $5`,
    },
    [filter.name, filter.pipeline, filter.tenant, filter.after, filter.most, filter.pipelines ?? null],
  )
}

/** Firings of a schedule, the latest first: before one of them, and in some states. */
export function listFirings(
  caller: Caller,
  name: string,
  filter: {
    readonly states: readonly string[] | null
    readonly before: number | null
    readonly most: number
  },
): Promise<FiringRow[]> {
  return caller.call<FiringRow>(
    {
      name: 'millrace_list_firings',
      text: `select f.id, f.slot_at, f.until_slot_at, f.slots, f.kind, f.state, f.reason, f.refusal, f.run_id, f.blocked_by, f.late_ms, f.fired_at, f.fired_by,
                    f.started_at, f.ended_at, f.closed_at, f.deadline_at, f.overdue_at, f.verified_at, f.verification, f.error
               from millrace.firing f join millrace.schedule s on s.id = f.schedule_id
              where s.name = $1 and ($2::text[] is null or f.state = any ($2)) and ($3::bigint is null or f.id < $3)
              order by f.id desc limit $4`,
    },
    [name, filter.states, filter.before, filter.most],
  )
}
