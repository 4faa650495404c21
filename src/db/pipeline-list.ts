// Lists of pipelines and of their versions.
import type { RunState } from '../core/state.ts'
import type { StoredGraph } from '../core/stored-graph.ts'
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'

export interface PipelineRow {
  readonly slug: string
  readonly active_version: number | null
  readonly paused_at: Date | null
  readonly paused_by: string | null
  readonly pause_reason: string | null
  readonly retention_days: number | null
  /** Rises with each change by a person. */
  readonly revision: number
  /** The path whose value decides among versions, or [] for the run's own id; null where starts are not split. */
  readonly split_path: readonly string[] | null
  readonly split_at: Date | null
  /** Runs with a task that is not finished, which every live run has. */
  readonly live_runs: number
  readonly last_run_id: string | null
  readonly last_run_state: RunState | null
  readonly last_run_at: Date | null
}

/** All pipelines by name, or the one named, each with its newest run. */
export function listPipelines(
  caller: Caller,
  slug: string | null = null,
  { pipelines, after, limit }: Omit<ListBounds, 'tenant'> = {},
): Promise<PipelineRow[]> {
  return caller.call<PipelineRow>(
    {
      name: 'millrace_list_pipelines',
      text: `with live as (
          select h.slug, count(distinct t.run_id)::int as runs
            from (select handler, run_id from millrace.task union select handler, run_id from millrace.waiting_task) t
            join millrace.handler h on h.id = t.handler
           where $1::text is null or h.slug = $1
           group by h.slug
        )
        select p.slug, p.active_version, p.paused_at, p.paused_by, p.pause_reason, p.retention_days, p.revision, p.split_path, p.split_at,
               coalesce(l.runs, 0) as live_runs, newest.id as last_run_id, newest.state as last_run_state, newest.created_at as last_run_at
          from millrace.pipeline p
          left join live l on l.slug = p.slug
          left join lateral (
            select last.* from millrace.pipeline_version v
              cross join lateral (
                select r.id, r.state, r.created_at from millrace.run r
                 where r.slug = v.slug and r.version = v.version order by r.id desc limit 1) last
             where v.slug = p.slug order by last.id desc limit 1) newest on true
         where ($1::text is null or p.slug = $1) and ($2::text[] is null or p.slug = any ($2)) and ($3::text is null or p.slug > $3)
         order by p.slug limit $4`,
    },
    [slug, pipelines ?? null, after ?? null, limit ?? null],
  )
}

export interface VersionRow {
  readonly version: number
  readonly digest: string
  readonly graph: StoredGraph
  readonly registered_at: Date
  readonly registered_by: string
}

/** The versions of a pipeline, newest first, at most 100. */
export function listVersions(caller: Caller, slug: string): Promise<VersionRow[]> {
  return caller.call<VersionRow>(
    {
      name: 'millrace_list_versions',
      text: `select v.version, v.digest, v.graph, v.registered_at, v.registered_by
          from millrace.pipeline_version v where v.slug = $1 order by v.version desc limit 100`,
    },
    [slug],
  )
}

export interface OutcomeRow {
  readonly version: number
  /** null where the starts are not split. */
  readonly weight: number | null
  /** Of the starts that name no version, from 0 to 1. */
  readonly share: number
  readonly runs: number
  readonly live: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  /** From the beginning to the end of the completed ones; null where there are none. */
  readonly median_ms: number | null
}

/** How the runs of the versions went that share the starts, since the last change of the split or for a week. @throws MillraceError pipeline_unknown */
export function pipelineOutcomes(
  caller: Caller,
  slug: string,
  since: Date | null = null,
): Promise<OutcomeRow[]> {
  return caller.call<OutcomeRow>(
    {
      name: 'millrace_pipeline_outcomes',
      text: `select version, weight, share, runs, live, completed, failed, cancelled, median_ms
        from millrace.pipeline_outcomes($1, $2)`,
    },
    [slug, since],
  )
}
