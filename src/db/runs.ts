// The SQL functions of runs: start, cancel, pause, resume, watch, and the protocol of runs reported from outside.
import type { RunState } from '../core/state.ts'
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

/** One start, as it goes to the database; the input is JSON text. */
export interface StartRow {
  readonly id: string
  readonly slug: string
  /** null takes the active version. */
  readonly version: number | null
  readonly input: string
  readonly priority: number | null
  readonly tenant: string | null
  readonly headers: string | null
  readonly availableAt: Date | null
  readonly idempotencyKey: string | null
  readonly idempotencySeconds: number | null
}

/** The worker of the starting process, to which starts may be handed over. */
export interface HandOver {
  readonly workerId: string
  readonly lockKey: number
  /** How many tasks it can take. */
  readonly room: number
}

/** What differs from "created, and waiting for a worker". */
export interface StartAnswerRow {
  readonly reason: 'live' | 'repeated' | 'conflict' | 'paused' | 'limit' | 'coalesced' | 'leased'
  readonly run_id: string
  /** The run that holds the key. */
  readonly live_run_id: string | null
  readonly task_id: number | null
  readonly step_id: number | null
  /** Of a rule on starts: its name, and when the start would pass, in milliseconds since 1970, where that is known. */
  readonly rule: string | null
  readonly passes_at_ms: number | null
}

/** When a start that a rule refuses would pass, where that is known. */
export function passesAtOf({ passes_at_ms: ms }: StartAnswerRow): Date | null {
  return ms === null ? null : new Date(Number(ms))
}

// But for the last argument, which says whether ids may be another start's.
const startRunsCall = `millrace.start_runs($1::uuid[], $2::text[], $3::int[], $4::jsonb[],
    $5::smallint[], $6::text[], $7::jsonb[], $8::timestamptz[], $9::text[], $10::int[], $11::text, $12::uuid, $13::int, $14::int, $15::boolean`
// A time as a number: in a transaction of the caller's own, some libraries give times as text.
const startColumns = `reason, run_id, live_run_id, task_id, step_id, rule, (extract(epoch from passes_at) * 1000)::float8 as passes_at_ms`

const patientStatement = {
  name: 'millrace_start_runs_patiently',
  text: `select ${startColumns} from ${startRunsCall}, $16::boolean)`,
}

// The bound holds for this transaction, from before the function begins.
const boundedStatement = {
  name: 'millrace_start_runs',
  text: `with bound as materialized (select set_config('lock_timeout', $17, true) <> '' as is_set)
    select ${startColumns} from bound cross join lateral ${startRunsCall}, $16::boolean and is_set)`,
}

/**
 * Starts runs, all or none. A run that is in no answer row was created and waits for a worker.
 *
 * @param givenIds false where every id was made for this call: then none can be another start's
 * @param wakeAlways notify sleeping workers without looking for any: right inside somebody else's transaction
 * @param lockMs for how long it waits for what somebody's transaction holds, before it starts nothing (55P03); unless told, for as long as a statement may take
 * @throws MillraceError pipeline_unknown, key_value_missing, run_id_off_clock, too_many_starts
 */
export function startRuns(
  caller: Caller,
  rows: readonly StartRow[],
  options: {
    readonly via: string
    readonly handOver?: HandOver | undefined
    readonly wakeAlways: boolean
    readonly givenIds?: boolean
    readonly lockMs?: number | undefined
  },
): Promise<StartAnswerRow[]> {
  const isBounded = options.lockMs !== undefined
  return caller.call<StartAnswerRow>(isBounded ? boundedStatement : patientStatement, [
    rows.map((row) => row.id),
    rows.map((row) => row.slug),
    rows.map((row) => row.version),
    rows.map((row) => row.input),
    columnOrNull(rows, (row) => row.priority),
    columnOrNull(rows, (row) => row.tenant),
    columnOrNull(rows, (row) => row.headers),
    columnOrNull(rows, (row) => row.availableAt),
    columnOrNull(rows, (row) => row.idempotencyKey),
    columnOrNull(rows, (row) => row.idempotencySeconds),
    options.via,
    options.handOver?.workerId ?? null,
    options.handOver?.lockKey ?? null,
    options.handOver?.room ?? 0,
    options.wakeAlways,
    options.givenIds ?? true,
    ...(isBounded ? [`${options.lockMs}ms`] : []),
  ])
}

// A column that nobody uses is sent as null, not as a list of nulls: most starts have only an input.
function columnOrNull<T>(
  rows: readonly StartRow[],
  column: (row: StartRow) => T | null,
): (T | null)[] | null {
  return rows.some((row) => column(row) !== null) ? rows.map(column) : null
}

/** True where the run was live; with `undo`, where it is undone from now on. @throws MillraceError run_unknown, revision_conflict */
export function cancelRun(
  caller: Caller,
  runId: string,
  reason: string | null,
  undo = false,
  ifRevision: number | null = null,
): Promise<boolean> {
  return changed(
    caller,
    { name: 'millrace_cancel_run', text: 'select millrace.cancel_run($1, $2, $3, $4) as changed' },
    [runId, reason, undo, ifRevision],
  )
}

/** True where the run was live and not paused. @throws MillraceError run_unknown, revision_conflict */
export function pauseRun(
  caller: Caller,
  runId: string,
  reason: string | null,
  ifRevision: number | null = null,
): Promise<boolean> {
  return changed(
    caller,
    { name: 'millrace_pause_run', text: 'select millrace.pause_run($1, $2, $3) as changed' },
    [runId, reason, ifRevision],
  )
}

/** True where the run was paused. @throws MillraceError run_unknown, revision_conflict */
export function resumeRun(caller: Caller, runId: string, ifRevision: number | null = null): Promise<boolean> {
  return changed(
    caller,
    { name: 'millrace_resume_run', text: 'select millrace.resume_run($1, $2) as changed' },
    [runId, ifRevision],
  )
}

/** True where the run is live and had another priority. @throws MillraceError run_unknown, argument_invalid, revision_conflict */
export function prioritizeRun(
  caller: Caller,
  runId: string,
  priority: number,
  ifRevision: number | null = null,
): Promise<boolean> {
  return changed(
    caller,
    { name: 'millrace_prioritize_run', text: 'select millrace.prioritize_run($1, $2, $3) as changed' },
    [runId, priority, ifRevision],
  )
}

async function changed(
  caller: Caller,
  statement: { name: string; text: string },
  values: unknown[],
): Promise<boolean> {
  const rows = await retryTransaction(() => caller.call<{ changed: boolean }>(statement, values))
  return rows[0]!.changed
}

export interface RunStanding {
  readonly slug: string
  readonly state: RunState
  readonly output: unknown
  readonly error: unknown
}

/**
 * Registers the interest in a run's end for so many seconds and answers how it stands; undefined for an unknown run.
 *
 * @param values false: without its output and its error, which may be large
 */
export async function watchRun(
  caller: Caller,
  runId: string,
  watcher: string,
  { seconds, values }: { readonly seconds: number; readonly values: boolean },
): Promise<RunStanding | undefined> {
  const rows = await caller.call<RunStanding>(
    {
      name: 'millrace_watch_run',
      text: `select slug, state, case when $4::boolean then output end as output, case when $4::boolean then error end as error
        from millrace.watch_run($1, $2, $3)`,
    },
    [runId, watcher, seconds, values],
  )
  return rows[0]
}

export interface WatchedRun extends RunStanding {
  readonly id: string
  /** Whether its end will be told; false of a run that has ended, and where somebody held it at that moment. */
  readonly registered: boolean
}

/**
 * The same for some runs together, each with its output and error or without; those that nobody knows are left out. Waits for nobody: a live
 * run that somebody holds is to be asked for again.
 */
export async function watchRuns(
  caller: Caller,
  runs: ReadonlyArray<{ readonly id: string; readonly values: boolean }>,
  watcher: string,
  seconds: number,
): Promise<WatchedRun[]> {
  return caller.call<WatchedRun>(
    {
      name: 'millrace_watch_runs',
      text: `select w.id, w.registered, w.slug, w.state,
               case when w.id = any ($4::uuid[]) then w.output end as output, case when w.id = any ($4::uuid[]) then w.error end as error
          from millrace.watch_runs($1, $2, $3) w`,
    },
    [runs.map(({ id }) => id), watcher, seconds, runs.flatMap(({ id, values }) => (values ? [id] : []))],
  )
}

export interface EnsureAnswerRow {
  readonly created: boolean
  readonly reason: string | null
  readonly run_id: string | null
}

/** One live run of this key, reported from outside, started if there is none. @throws MillraceError pipeline_unknown, start_option_invalid */
export async function ensureRun(
  caller: Caller,
  start: {
    readonly slug: string
    readonly input: string
    readonly id: string
    readonly tenant: string | null
    readonly headers: string | null
    readonly silenceSeconds: number | null
  },
): Promise<EnsureAnswerRow> {
  const rows = await caller.call<EnsureAnswerRow>(
    {
      name: 'millrace_ensure_run',
      text: `select created, reason, run_id from millrace.ensure_run($1, $2::jsonb, $3, null, $4, $5::jsonb, $6)`,
    },
    [start.slug, start.input, start.id, start.tenant, start.headers, start.silenceSeconds],
  )
  return rows[0]!
}

/** Says that a run reported from outside has ended; answers with its state. @throws MillraceError run_unknown, run_unfinished */
export async function completeRun(caller: Caller, runId: string, error: string | null): Promise<RunState> {
  const rows = await caller.call<{ state: RunState }>(
    { name: 'millrace_complete_run', text: 'select millrace.complete_run($1, $2::jsonb) as state' },
    [runId, error],
  )
  return rows[0]!.state
}

/** A time in which an executor outside could report nothing: what came late, was refused as too late, or was dropped. */
export interface ReportGap {
  readonly lastedMs: number
  readonly reports: number
  readonly refused: number
  readonly dropped: number
}

/** Writes the gap into the run's account. @throws MillraceError run_unknown */
export async function reportGap(caller: Caller, runId: string, gap: ReportGap): Promise<void> {
  await caller.call({ name: 'millrace_report_gap', text: 'select millrace.report_gap($1, $2, $3, $4, $5)' }, [
    runId,
    Math.round(gap.lastedMs),
    gap.reports,
    gap.refused,
    gap.dropped,
  ])
}
