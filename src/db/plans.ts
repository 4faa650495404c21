// The SQL functions that compare code with the database, and the check of the queries that the code declares.
import type pg from 'pg'
import type { Graph } from '../core/graph.ts'
import type { StoredGraph } from '../core/stored-graph.ts'
import type { Caller } from './call.ts'
import { sqlState } from './database-error.ts'

/** A pipeline of the code, as it would be registered. */
export interface PlannedGraph {
  readonly slug: string
  readonly graph: Graph
}

export interface PlannedPipelineRow {
  readonly slug: string
  readonly change: 'new' | 'changed' | 'same' | 'gone'
  /** The version that the code is, or would make; null for one that the code lacks. */
  readonly version: number | null
  readonly active_version: number | null
  readonly active_graph: StoredGraph | null
}

/** What registering these graphs would do; nothing is written. @throws MillraceError graph_invalid */
export function planPipelines(
  caller: Caller,
  planned: readonly PlannedGraph[],
): Promise<PlannedPipelineRow[]> {
  return caller.call<PlannedPipelineRow>(
    {
      name: 'millrace_plan_pipelines',
      text: 'select slug, change, version, active_version, active_graph from millrace.plan_pipelines($1::text[], $2::jsonb[])',
    },
    columnsOf(planned),
  )
}

export interface StandingRow {
  readonly slug: string
  readonly version: number
  readonly step: string
  /** Live runs with this step open. */
  readonly runs: number
  /** Live runs of the version: one with several open steps is counted once. */
  readonly version_runs: number
  /** Whether a live worker serves it now. */
  readonly is_served: boolean
  /** Why runs that stand there could not move to the version of the code; null where they could. */
  readonly fault: string | null
}

/** Where the live runs stand whose versions these graphs don't serve. */
export function planRuns(caller: Caller, planned: readonly PlannedGraph[]): Promise<StandingRow[]> {
  return caller.call<StandingRow>(
    {
      name: 'millrace_plan_runs',
      text: 'select slug, version, step, runs, version_runs, is_served, fault from millrace.plan_runs($1::text[], $2::jsonb[])',
    },
    columnsOf(planned),
  )
}

function columnsOf(planned: readonly PlannedGraph[]): unknown[] {
  return [planned.map(({ slug }) => slug), planned.map(({ graph }) => JSON.stringify(graph))]
}

export interface DeclaredQuery {
  readonly name: string
  readonly text: string
  /** The types of its parameters, as `prepare` takes them; without it the server works them out. */
  readonly parameters?: string
  /** What stands around it when it is run. */
  readonly frame?: readonly [before: string, after: string]
}

export interface QueryFault extends DeclaredQuery {
  /** What the server says of it, with the line that it means. */
  readonly fault: string
}

/** What `sql` steps will ask for. */
export function functionQuery(target: string): string {
  return `select ${target}($1::jsonb)`
}

/** The queries that the server refuses to prepare; none is run. */
export async function findQueryFaults(
  client: pg.ClientBase,
  queries: readonly DeclaredQuery[],
): Promise<QueryFault[]> {
  const faults: QueryFault[] = []
  for (const query of queries) {
    const fault = await faultOf(client, query)
    if (fault !== undefined) faults.push({ ...query, fault })
  }
  return faults
}

async function faultOf(client: pg.ClientBase, query: DeclaredQuery): Promise<string | undefined> {
  const { text, parameters = '', frame: [before, after] = ['', ''] } = query
  const prepareAs = `prepare millrace_declared${parameters} as ${before}`
  try {
    // By the extended protocol, which takes one statement and no more: nothing behind a semicolon is ever run.
    await client.query({
      text: prepareAs + text + after,
      values: [],
      queryMode: 'extended',
    } as pg.QueryConfig)
    await client.query('deallocate millrace_declared')
    return undefined
  } catch (error) {
    const state = sqlState(error)
    // The connection is gone, or the server is: that is no fault of the query.
    if (state === undefined || !/^(?:0A|22|26|3|42)/.test(state)) throw error
    return faultWords(error as pg.DatabaseError, text, prepareAs.length)
  }
}

function faultWords({ message, hint, position }: pg.DatabaseError, text: string, before: number): string {
  const at = Number(position ?? 0) - before
  const line = at > 0 ? text.slice(0, at).split('\n').length : 1
  const place = text.includes('\n') ? ` (line ${line})` : ''
  return `${message}${place}${hint === undefined ? '' : `. ${hint}`}`
}
