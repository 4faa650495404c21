// Lists of runs: the newest first, by index, and never more than asked for.
import type { RunState } from '../core/state.ts'
import { uuidV7 } from '../core/uuid.ts'
import type { Caller } from './call.ts'

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
  readonly limit: number
}

const columns = `r.id, r.slug as pipeline, r.version, r.tenant, r.key, r.state, r.created_at, r.started_at, r.finished_at, r.paused_at, r.revision,
  r.error - 'stack' as error`

const conditions = `($2::text[] is null or r.state = any ($2)) and ($3::text is null or r.key = $3)
  and ($4::text is null or r.tenant = $4)`

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
    where l.fingerprint = $6 and ($1::text is null or r.slug = $1) and ${conditions}
    order by r.id desc limit $5`,
}

/** The newest runs that the filter lets through. */
export function listRuns(caller: Caller, filter: RunFilter): Promise<RunRow[]> {
  const { pipeline, states, key, tenant, fingerprint, limit } = filter
  const values = [pipeline ?? null, states ?? null, key ?? null, tenant ?? null, limit]
  if (fingerprint !== undefined) return caller.call<RunRow>(fingerprintStatement, [...values, fingerprint])
  return caller.call<RunRow>(pipeline === undefined ? allStatement : pipelineStatement, values)
}

export interface RunValues {
  readonly input: unknown
  readonly output: unknown
  readonly headers: Readonly<Record<string, string>> | null
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
