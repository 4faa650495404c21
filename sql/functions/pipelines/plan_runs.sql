-- Where the live runs stand that these graphs don't serve: by pipeline, version and open step, with whether a live worker serves that now,
-- and the first reason why runs there could not move to the new graph (null where they could). A run with several open steps is told
-- at each of them, and counted once for its version.
create or replace function millrace.plan_runs(slugs text[], graphs jsonb[])
returns table (slug text, version int, step text, runs int, version_runs int, is_served boolean, fault text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  served int[] := served_handlers(millrace.now());
begin
  return query
    with recursive open as (
      select t.handler, t.step_id, t.run_id from task t
      union
      select w.handler, w.step_id, w.run_id from waiting_task w
    ), standing as (
      select h.slug, h.version, d.id, d.step, d.position, count(distinct o.run_id)::int as runs, bool_and(h.id = any (served)) as is_served
        from open o join handler h on h.id = o.handler join step_definition d on d.id = o.step_id
       group by h.slug, h.version, d.id
    ), alive as (
      select h.slug, h.version, count(distinct o.run_id)::int as runs from open o join handler h on h.id = o.handler group by h.slug, h.version
    ), target as (
      select s.slug, s.version, g.graph
        from (select distinct standing.slug, standing.version from standing) s
        left join unnest(slugs, graphs) g(slug, graph) on g.slug = s.slug
       where not exists (select from pipeline_version v
                          where v.slug = s.slug and v.version = s.version and g.graph is not null and v.digest = graph_digest(g.graph))
    ), faults as (
      select t.slug, t.version, f.step, f.fault from target t cross join lateral find_graph_faults(t.slug, t.version, t.graph) f where t.graph is not null
    ), behind (id, slug, version, step) as (
      select s.id, s.slug, s.version, s.step from standing s join target t on t.slug = s.slug and t.version = s.version
      union
      select b.id, b.slug, b.version, need.name
        from behind b join step_definition d on d.slug = b.slug and d.version = b.version and d.step = b.step
       cross join unnest(d.needs) need(name)
    )
    select s.slug, s.version, s.step, s.runs, a.runs, s.is_served,
           case when t.graph is null then 'the pipeline is gone'
                else (select min(f.fault) from behind b join faults f on f.slug = b.slug and f.version = b.version and f.step = b.step where b.id = s.id) end
      from standing s
      join target t on t.slug = s.slug and t.version = s.version
      join alive a on a.slug = s.slug and a.version = s.version
     order by s.slug, s.version desc, s.position;
end $$;
comment on function millrace.plan_runs(text[], jsonb[]) is 'Where live runs stand whose versions these graphs don''t serve.';
