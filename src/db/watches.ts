// The SQL functions of watches: which tables start runs by their changes, what is installed there, and what is told.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from './call.ts'
import { boundValues, type ListBounds } from './list-bounds.ts'
import { sqlState } from './database-error.ts'
import { retryTransaction } from './transaction.ts'

export type WatchOperation = 'insert' | 'update' | 'delete' | 'truncate'

/** What a watch says, as it is stored. */
export interface WatchSettings {
  readonly operations: readonly WatchOperation[]
  readonly columns?: readonly string[]
  readonly values?: readonly string[]
  readonly when?: { readonly insert?: string; readonly update?: string; readonly delete?: string }
  readonly key?: readonly string[]
  readonly coalesce_ms?: number
  readonly by_key?: boolean
  readonly record_gaps?: boolean
  readonly tenant_column?: string
  readonly map?: Readonly<Record<string, readonly string[]>>
}

export interface WatchDefinition {
  readonly name: string
  readonly settings: WatchSettings & {
    readonly pipeline: string
    readonly schema: string
    readonly table: string
    readonly tenant?: string
  }
}

/** Defines a watch or changes it; answers its revision. @throws MillraceError watch_invalid, revision_conflict */
export async function defineWatch(
  caller: Caller,
  { name, settings }: WatchDefinition,
  ifRevision: number | null = null,
): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ revision: number }>(
      {
        name: 'millrace_define_watch',
        text: 'select millrace.define_watch($1, $2, expected_revision => $3) as revision',
      },
      [name, JSON.stringify(settings), ifRevision],
    ),
  )
  return rows[0]!.revision
}

export interface CodeWatchAnswer {
  readonly name: string
  /** An operator's is left as it is. */
  readonly change: 'defined' | 'same' | 'retired' | 'operator'
  /** What is wrong with its capture. */
  readonly problems: readonly string[]
}

/** Defines all watches that code declares for these pipelines. @throws MillraceError watch_invalid */
export function defineCodeWatches(
  caller: Caller,
  watches: readonly WatchDefinition[],
  slugs: readonly string[],
): Promise<CodeWatchAnswer[]> {
  return retryTransaction(() =>
    caller.call<CodeWatchAnswer>(
      {
        name: 'millrace_define_code_watches',
        text: 'select name, change, problems from millrace.define_code_watches($1, $2)',
      },
      [JSON.stringify(watches), slugs],
    ),
  )
}

export interface WatchPlanRow {
  readonly name: string
  readonly action: 'install' | 'repair' | 'remove' | 'none' | 'gone'
  /** Why it can't be installed. */
  readonly fault: string | null
  readonly statements: readonly string[]
}

/** What there is to install and to take away; of all watches, or of one. */
export function planWatches(caller: Caller, name: string | null): Promise<WatchPlanRow[]> {
  return caller.call<WatchPlanRow>(
    {
      name: 'millrace_plan_watches',
      text: 'select name, action, fault, statements from millrace.plan_watches($1)',
    },
    [name],
  )
}

/**
 * Installs what a plan says, in the caller's own transaction: one row at a time, so that a table is locked for an instant.
 *
 * @throws MillraceError watch_not_allowed, watch_invalid where it was changed since it was planned
 */
export async function applyWatch(caller: Caller, plan: WatchPlanRow): Promise<void> {
  await asInstaller(plan.name, async () => {
    // Names in a condition mean the same whoever applies it; and writers who wait for this lock do so for a few seconds at most.
    await caller.call({ name: '', text: 'set local search_path = millrace, pg_temp' }, [])
    await caller.call({ name: '', text: "set local lock_timeout = '5s'" }, [])
    for (const text of plan.statements) await caller.call({ name: '', text }, [])
    await caller.call({ name: 'millrace_mark_watch', text: 'select millrace.mark_watch($1, $2)' }, [
      plan.name,
      plan.statements,
    ])
  })
}

/** Removes a watch whose triggers are gone; true where there was one. @throws MillraceError watch_invalid */
export async function removeWatch(caller: Caller, name: string): Promise<boolean> {
  const rows = await caller.call<{ removed: boolean }>(
    { name: 'millrace_remove_watch', text: 'select millrace.remove_watch($1) as removed' },
    [name],
  )
  return rows[0]!.removed
}

/** Takes away what is installed of a watch, in the caller's own transaction. @throws MillraceError watch_not_allowed */
export async function dropWatchTriggers(caller: Caller, name: string): Promise<void> {
  const rows = await caller.call<{ statement: string }>(
    {
      name: 'millrace_list_watch_remains',
      text: 'select r as statement from millrace.change_watch w cross join lateral millrace.watch_remains(w.id) r where w.name = $1',
    },
    [name],
  )
  await asInstaller(name, async () => {
    for (const { statement } of rows) await caller.call({ name: '', text: statement }, [])
  })
}

/** @throws MillraceError watch_not_allowed */
async function asInstaller<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (sqlState(cause) !== '42501') throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MillraceError(
      'watch_not_allowed',
      `This login can't change what is installed of watch '${name}': ${reason}`,
      {
        fields: { name },
        hint: "Do it as the owner of schema millrace, who needs the right TRIGGER on the table: --database names another login's address.",
        cause,
      },
    )
  }
}

/** Holds the watch for the rest of the transaction, where nobody has changed it since. @throws MillraceError revision_conflict */
export async function refuseWatchRevision(caller: Caller, name: string, seen: number): Promise<void> {
  await caller.call(
    { name: 'millrace_refuse_watch_revision', text: 'select millrace.refuse_watch_revision($1, $2)' },
    [name, seen],
  )
}

/** True where that changed something. @throws MillraceError watch_unknown */
export async function pauseWatch(caller: Caller, name: string, isPaused: boolean): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_pause_watch', text: 'select millrace.pause_watch($1, $2) as changed' },
    [name, isPaused],
  )
  return rows[0]!.changed
}

export interface Worked {
  readonly done: number
  readonly more: boolean
}

/** Starts the runs of a batch of changes; any worker may. */
export async function deliverChanges(caller: Caller, most: number): Promise<Worked> {
  const rows = await caller.call<Worked>(
    { name: 'millrace_deliver_changes', text: 'select done, more from millrace.deliver_changes($1)' },
    [most],
  )
  return rows[0]!
}

/** Tells a batch of rows that are there already; any worker may. */
export async function workBackfills(caller: Caller, most: number): Promise<Worked> {
  const rows = await caller.call<Worked>(
    { name: 'millrace_work_backfills', text: 'select done, more from millrace.work_backfills($1)' },
    [most],
  )
  return rows[0]!
}

/** Answers the backfill's id. @throws MillraceError watch_unknown, watch_invalid, watch_not_allowed */
export async function startBackfill(caller: Caller, name: string, condition: string): Promise<number> {
  const rows = await asInstaller(name, () =>
    caller.call<{ id: number }>(
      { name: 'millrace_start_backfill', text: 'select millrace.start_backfill($1, $2) as id' },
      [name, condition],
    ),
  )
  return rows[0]!.id
}

/** True where something was left to do. @throws MillraceError watch_unknown */
export async function abortBackfill(caller: Caller, id: number): Promise<boolean> {
  const rows = await caller.call<{ aborted: boolean }>(
    { name: 'millrace_abort_backfill', text: 'select millrace.abort_backfill($1) as aborted' },
    [id],
  )
  return rows[0]!.aborted
}

export interface BackfillRow {
  readonly id: number
  readonly condition: string
  readonly state: 'open' | 'done' | 'cancelled' | 'failed'
  /** As the planner estimates it. */
  readonly expected: number
  readonly done: number
  readonly error: string | null
}

export interface WatchRow {
  readonly name: string
  readonly pipeline: string
  readonly relation: string
  readonly tenant: string | null
  readonly settings: WatchSettings
  readonly source: 'code' | 'operator'
  readonly revision: number
  readonly changed_at: Date
  readonly changed_by: string
  readonly paused_at: Date | null
  readonly retired_at: Date | null
  readonly installed_at: Date | null
  readonly installed_by: string | null
  readonly problems: readonly string[]
  readonly waiting: number
  readonly oldest_at: Date | null
  readonly held: number
  readonly held_reason: string | null
  readonly runs_started: string
  readonly changes_told: string
  readonly changes_dropped: string
  readonly loops_cut: string
  readonly last_cut: { readonly run: string; readonly key: unknown; readonly at: string } | null
  readonly gaps: number
  readonly last_gap: string | null
  readonly backfills: readonly BackfillRow[]
}

/** The watches by name, or one of them. */
export function listWatches(
  caller: Caller,
  name: string | null,
  bounds: ListBounds = {},
): Promise<WatchRow[]> {
  return caller.call<WatchRow>(
    {
      name: 'millrace_list_watches',
      text: `select name, pipeline, relation, tenant, settings, source, revision, changed_at, changed_by, paused_at, retired_at, installed_at,
          installed_by, problems, waiting, oldest_at, held, held_reason, runs_started, changes_told, changes_dropped, loops_cut, last_cut, gaps,
          last_gap, backfills from millrace.list_watches($1) w
        where ($2::text is null or w.tenant = $2) and ($3::text[] is null or w.pipeline = any ($3)) and ($4::text is null or w.name > $4)
        order by w.name limit $5`,
    },
    [name, ...boundValues(bounds)],
  )
}

export interface ReplicaSetting {
  /** A role, a database, or both, as they stand in the catalog. */
  readonly holder: string
}

/** For whom row triggers are switched off by a setting that stays: nothing that they write is recorded. */
export function listReplicaSettings(caller: Caller): Promise<ReplicaSetting[]> {
  return caller.call<ReplicaSetting>(
    {
      name: 'millrace_list_replica_settings',
      text: `select concat_ws(' in ', case when s.setrole <> 0 then 'role ' || s.setrole::regrole end, case when d.datname is not null then 'database ' || d.datname end) as holder
        from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
        where array_to_string(s.setconfig, ' ') ~ 'session_replication_role=replica' and (s.setdatabase = 0 or d.datname = current_database()) limit 100`,
    },
    [],
  )
}
