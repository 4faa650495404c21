// Lists of runs: the newest first, by index, and never more than asked for.
import type { RunState } from '../core/state.ts'
import { uuidV7 } from '../core/uuid.ts'
import type { Caller, Statement } from './call.ts'

export interface RunRow {
  readonly id: string
  readonly pipeline: string
  readonly version: number
  readonly tenant: string | null
  readonly key: string | null
  readonly state: RunState
  readonly created_at: Date
  readonly started_at: Date | null
  readonly finished_at: Date | null
  readonly paused_at: Date | null
  /** Rises with each change by a person. */
  readonly revision: number
  readonly error: { readonly code?: string; readonly message?: string } | null
}

export interface RunFilter {
  readonly pipeline?: string | undefined
  readonly states?: readonly RunState[] | undefined
  readonly key?: string | undefined
  readonly tenant?: string | undefined
  /** Only failed runs that nobody has decided on, with this one. */
  readonly fingerprint?: string | undefined
  /** Only runs of these. */
  readonly pipelines?: readonly string[] | undefined
  /** Only runs older than this one, by id. */
  readonly before?: string | undefined
  readonly limit: number
}

const summary =
  'r.id, r.slug as pipeline, r.version, r.tenant, r.key, r.state, r.created_at, r.started_at, r.finished_at, r.paused_at, r.revision'
// Nobody opens what is encrypted of an error in a list.
const columns = `${summary}, r.error - array['stack', '$encrypted'] as error`

const conditions = `($2::text[] is null or r.state = any ($2)) and ($3::text is null or r.key = $3)
  and ($4::text is null or r.tenant = $4) and ($6::text[] is null or r.slug = any ($6)) and ($7::uuid is null or r.id < $7)`

const allStatement = {
  name: 'millrace_list_runs',
  text: `select ${columns} from millrace.run r where $1::text is null and ${conditions} order by r.id desc limit $5`,
}

// The index begins with pipeline and version, so each version gives its newest, and the newest of them are taken.
const pipelineStatement = {
  name: 'millrace_list_pipeline_runs',
  text: `select newest.* from millrace.pipeline_version v
    cross join lateral (
      select ${columns} from millrace.run r
       where r.slug = v.slug and r.version = v.version and ${conditions}
       order by r.id desc limit $5) newest
   where v.slug = $1
   order by newest.id desc limit $5`,
}

// By the index on the fingerprint: what failed before it was kept has got one from the first worker since.
const fingerprintStatement = {
  name: 'millrace_list_failed_runs',
  text: `select ${columns} from millrace.dead_letter l join millrace.run r on r.id = l.run_id
    where l.fingerprint = $8 and ($1::text is null or r.slug = $1) and ${conditions}
    order by r.id desc limit $5`,
}

// No index names the state of a run, so that its changes cost none. Runs that are live have tasks, and those that failed or were cancelled stand in a
// table of their own: few are read where few are wanted, however many have completed. What each finds is held against the run itself. The limits of 1
// keep each run looked up by its id, whatever the statistics say.
const stateStatement = {
  name: 'millrace_list_runs_by_state',
  text: `select * from (
    (select found.* from (
        select distinct t.run_id
          from (select k.run_id, k.handler from millrace.task k union all select w.run_id, w.handler from millrace.waiting_task w) t
         where ($1::text is null or t.handler = any (array(select h.id from millrace.handler h where h.slug = $1))) and ($7::uuid is null or t.run_id < $7)
         order by t.run_id desc) live
      cross join lateral (
        select ${columns} from millrace.run r
         where r.id = live.run_id and ($1 is null or r.slug = $1) and ${conditions} limit 1) found
      where $2 && array['pending', 'running', 'waiting']
      order by live.run_id desc limit $5)
    union all
    (select newest.* from unnest($2::text[]) wanted(state)
      cross join lateral (
        select found.* from millrace.unsuccessful_run u
          cross join lateral (
            select ${columns} from millrace.run r where r.id = u.run_id and r.state = u.state and ${conditions} limit 1) found
         where u.slug = $1 and u.state = wanted.state and ($7::uuid is null or u.run_id < $7)
         order by u.run_id desc limit $5) newest
      where $1 is not null and wanted.state in ('failed', 'cancelled')
      order by newest.id desc limit $5)
    union all
    (select newest.* from unnest($2::text[]) wanted(state)
      cross join lateral (
        select found.* from millrace.unsuccessful_run u
          cross join lateral (
            select ${columns} from millrace.run r where r.id = u.run_id and r.state = u.state and ${conditions} limit 1) found
         where u.state = wanted.state and ($7::uuid is null or u.run_id < $7)
         order by u.run_id desc limit $5) newest
      where $1 is null and wanted.state in ('failed', 'cancelled')
      order by newest.id desc limit $5)) listed
    order by id desc limit $5`,
}

/** Whether the runs of these states are found apart from those that completed. A tenant's and a key's are few enough by themselves. */
function isByState({ states, tenant, key }: RunFilter): boolean {
  return states !== undefined && !states.includes('completed') && tenant === undefined && key === undefined
}

export interface RunQuery {
  readonly statement: Statement
  readonly values: readonly unknown[]
}

/** The statement by which the runs that a filter lets through are found, and its values. */
export function runQuery(filter: RunFilter): RunQuery {
  const { pipeline, states, key, tenant, fingerprint, pipelines, before, limit } = filter
  const values = [
    pipeline ?? null,
    states ?? null,
    key ?? null,
    tenant ?? null,
    limit,
    pipelines ?? null,
    before ?? null,
  ]
  if (fingerprint !== undefined) return { statement: fingerprintStatement, values: [...values, fingerprint] }
  if (isByState(filter)) return { statement: stateStatement, values }
  return { statement: pipeline === undefined ? allStatement : pipelineStatement, values }
}

/** The newest runs that the filter lets through. */
export function listRuns(caller: Caller, filter: RunFilter): Promise<RunRow[]> {
  const { statement, values } = runQuery(filter)
  return caller.call<RunRow>(statement, values)
}

export interface RunDetailRow extends RunRow, RunValues {
  readonly priority: number
  readonly started_via: string
  readonly started_by: string
  readonly idempotency_key: string | null
  readonly available_at: Date | null
  readonly parent_run_id: string | null
  /** It failed, and nobody has decided on it yet. */
  readonly is_dead_letter: boolean
  /** The output has more than 8 MiB as JSON, and stands here as null: listOutputs gives it page by page. */
  readonly is_output_left_out: boolean
}

// What is small as it is stored is small when it is written out as well: PostgreSQL compresses no better than 100 to 1.
const isLarge = '(pg_column_size(r.output) > 65536 and octet_length(r.output::text) > 8388608)'

/** One run with all that is kept of it itself; undefined for an unknown one. */
export async function readRun(caller: Caller, runId: string): Promise<RunDetailRow | undefined> {
  const rows = await caller.call<RunDetailRow>(
    {
      name: 'millrace_read_run',
      text: `select ${summary}, r.error - 'stack' as error, r.priority, r.started_via, r.started_by, r.idempotency_key, r.available_at, r.parent_run_id, r.input, r.headers,
          case when l.is_output then r.output end as output, coalesce(not l.is_output, false) as is_output_left_out,
          exists (select from millrace.dead_letter l where l.run_id = r.id) as is_dead_letter
        from millrace.run r cross join lateral (select not ${isLarge} as is_output offset 0) l where r.id = $1`,
    },
    [runId],
  )
  return rows[0]
}

export interface RunValues {
  readonly input: unknown
  readonly output: unknown
  readonly headers: Readonly<Record<string, string>> | null
  /** A server gives no output of more than 8 MiB at once: it stands here as null. */
  readonly output_left_out?: true
}

/** What went into a run and what came out; undefined for an unknown run. */
export async function readRunValues(caller: Caller, runId: string): Promise<RunValues | undefined> {
  const rows = await caller.call<RunValues>(
    {
      name: 'millrace_read_run_values',
      text: 'select r.input, r.output, r.headers from millrace.run r where r.id = $1',
    },
    [runId],
  )
  return rows[0]
}

/** Runs that were made since a time, and those named: whoever follows the ends of runs asks so, look by look. */
export function followRuns(caller: Caller, since: Date, live: readonly string[]): Promise<RunRow[]> {
  return caller.call<RunRow>(
    {
      name: 'millrace_follow_runs',
      text: `select ${columns} from millrace.run r
        where r.id >= $1 or r.id = any ($2::uuid[]) order by r.id limit 5000`,
    },
    [uuidV7(since.getTime(), new Uint8Array(10)), live],
  )
}
