-- What registering these graphs would do, without doing it: a pipeline is new, changed (it gets a new version), same (the version is there), or
-- gone: registered, and not among them. Graphs that could not run are refused, as registering them would be.
create or replace function millrace.plan_pipelines(slugs text[], graphs jsonb[])
returns table (slug text, change text, version int, active_version int, active_graph jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  perform check_graph(g.slug, g.graph), (select count(*) from order_steps(g.slug, g.graph)) from unnest(slugs, graphs) g(slug, graph);
  return query
    select coalesce(g.slug, p.slug),
           case when g.slug is null then 'gone' when p.slug is null then 'new' when same.version is null then 'changed' else 'same' end,
           case when g.slug is not null
                then coalesce(same.version, (select max(v.version) + 1 from pipeline_version v where v.slug = g.slug), 1) end,
           p.active_version, active.graph
      from unnest(slugs, graphs) g(slug, graph)
      full join pipeline p on p.slug = g.slug
      left join pipeline_version same on same.slug = g.slug and same.digest = graph_digest(g.graph)
      left join pipeline_version active on active.slug = p.slug and active.version = p.active_version
     order by 1;
end $$;
comment on function millrace.plan_pipelines(text[], jsonb[]) is 'What registering these graphs would do, without doing it.';
