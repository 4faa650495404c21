// The inventory: each pipeline with what starts it, and how its newest runs ended. So what is never called, or always fails, is seen.
import type { RunState } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'

export interface InventoryRow {
  readonly slug: string
  readonly active_version: number | null
  readonly registered_at: Date | null
  readonly paused_at: Date | null
  readonly verdict: 'never called' | 'always failed' | 'undecided' | 'works'
  readonly last_run_id: string | null
  readonly last_run_state: RunState | null
  readonly last_run_at: Date | null
  readonly last_run_error: string | null
  readonly last_run_via: string | null
  readonly last_run_by: string | null
  readonly last_completed_at: Date | null
  readonly triggers: ReadonlyArray<{
    readonly kind: 'schedule' | 'webhook' | 'watch' | 'subscription'
    readonly name: string
    readonly paused: boolean
  }>
}

/** Pipelines by name, each judged by its newest 20 runs, with 100 triggers at most. */
export function pipelineInventory(
  caller: Caller,
  { after, limit }: Pick<ListBounds, 'after' | 'limit'> = {},
): Promise<InventoryRow[]> {
  return caller.call<InventoryRow>(
    {
      name: 'millrace_pipeline_inventory',
      text: `select p.slug, p.active_version, v.registered_at, p.paused_at,
          case when runs.newest is null then 'never called' when runs.completed > 0 then 'works' when runs.failed > 0 then 'always failed' else 'undecided' end as verdict,
          (runs.newest ->> 'id')::uuid as last_run_id, runs.newest ->> 'state' as last_run_state, (runs.newest ->> 'created_at')::timestamptz as last_run_at,
          runs.newest ->> 'error' as last_run_error, runs.newest ->> 'via' as last_run_via, runs.newest ->> 'by' as last_run_by, runs.last_completed_at,
          (select coalesce(jsonb_agg(jsonb_build_object('kind', t.kind, 'name', t.name, 'paused', t.paused) order by t.kind, t.name), '[]')
             from (select 'schedule' as kind, s.name, s.paused_at is not null as paused from millrace.schedule s where s.slug = p.slug and s.retired_at is null
                   union all select 'webhook', w.name, false from millrace.webhook w where p.slug = any (w.pipelines) and w.retired_at is null
                   union all select 'watch', c.name, c.paused_at is not null from millrace.change_watch c where c.slug = p.slug and c.retired_at is null
                   union all select 'subscription', b.name, b.paused_at is not null from millrace.subscription b where b.slug = p.slug and b.retired_at is null
                   limit 100) t) as triggers
        from millrace.pipeline p
        left join millrace.pipeline_version v on v.slug = p.slug and v.version = p.active_version
       cross join lateral (
         select (array_agg(jsonb_build_object('id', n.id, 'state', n.state, 'created_at', n.created_at, 'error', n.error, 'via', n.started_via, 'by', n.started_by)
                           order by n.id desc))[1] as newest,
                count(*) filter (where n.state = 'completed') as completed, count(*) filter (where n.state = 'failed') as failed,
                max(n.finished_at) filter (where n.state = 'completed') as last_completed_at
           from (select last.* from millrace.pipeline_version o
                  cross join lateral (
                    select r.id, r.state, r.created_at, r.finished_at, r.error ->> 'code' as error, r.started_via, r.started_by from millrace.run r
                     where r.slug = o.slug and r.version = o.version order by r.id desc limit 20) last
                  where o.slug = p.slug order by last.id desc limit 20) n) runs
       where $1::text is null or p.slug > $1
       order by p.slug limit $2`,
    },
    [after ?? null, limit ?? null],
  )
}
