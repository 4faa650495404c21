-- Registers a graph. The same graph again is the same version; a changed one makes a new version and activates it, so that old
-- and new workers side by side don't flip it to and fro. The rules on starts that code brings come as a set; null leaves them as they are.
create or replace function millrace.register_pipeline(slug text, graph jsonb, start_rules jsonb default null)
returns table (version int, created boolean, steps jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  new_digest text := graph_digest(register_pipeline.graph);
  found_version int;
  is_new boolean := false;
begin
  if register_pipeline.slug is null or register_pipeline.slug !~ '^[a-z][a-z0-9-]{0,62}$' then
    raise exception 'Pipeline name ''%'' is not of the form [a-z][a-z0-9-]*.', coalesce(register_pipeline.slug, 'null')
      using errcode = 'MR001', hint = 'Use lower-case letters, digits and hyphens, at most 63.';
  end if;
  select v.version into found_version from pipeline_version v
   where v.slug = register_pipeline.slug and v.digest = new_digest;
  if not found then
    perform check_graph(register_pipeline.slug, graph);
    insert into pipeline as p (slug, created_at) values (register_pipeline.slug, at) on conflict (slug) do nothing;
    perform 1 from pipeline p where p.slug = register_pipeline.slug for update;
    select v.version into found_version from pipeline_version v
     where v.slug = register_pipeline.slug and v.digest = new_digest;
    if not found then
      is_new := true;
      select coalesce(max(v.version), 0) + 1 into found_version from pipeline_version v where v.slug = register_pipeline.slug;
      insert into pipeline_version (slug, version, digest, graph, key_paths, registered_at, registered_by)
      values (register_pipeline.slug, found_version, new_digest, register_pipeline.graph,
              coalesce(register_pipeline.graph -> 'key', '[]'), at, actor());
      perform define_steps(register_pipeline.slug, found_version, register_pipeline.graph);
      update pipeline p set active_version = found_version where p.slug = register_pipeline.slug;
    end if;
  end if;
  if start_rules is not null and (start_rules <> '{}' or exists (select from start_rule k where k.slug = register_pipeline.slug)) then
    perform apply_start_rules(register_pipeline.slug, start_rules);
  end if;
  if is_new then
    perform check_start_rules(register_pipeline.slug, found_version);
  end if;
  return query
    select found_version, is_new,
           jsonb_agg(jsonb_build_object('id', d.id, 'step', d.step, 'kind', d.kind, 'handler', d.handler) order by d.position)
      from step_definition d
     where d.slug = register_pipeline.slug and d.version = found_version and d.kind <> 'end';
end $$;
comment on function millrace.register_pipeline(text, jsonb, jsonb) is 'Registers a graph and answers with its version; the same graph again is the same version.';
