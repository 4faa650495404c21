-- Takes the run keys of a batch in the order of the keys; answers with the places whose key has a live run, and that run.
-- The insert waits for a concurrent start of the same key to commit or roll back, so that exactly one of them begins.
create or replace function millrace.take_run_keys(
  run_ids uuid[], slugs text[], versions int[], inputs jsonb[], tenants text[], refused int[])
returns table (place int, live_run_id uuid)
language plpgsql
as $$
#variable_conflict use_column
declare
  unsettled int;
begin
  for round in 1 .. 100 loop
    insert into live_key (slug, tenant, key, run_id)
    select k.slug, k.tenant, k.key, k.id from (
      select g.slug, g.tenant, run_key(g.slug, g.input, v.key_paths) as key, g.id, g.place
        from unnest(run_ids, slugs, versions, inputs, tenants) with ordinality g(id, slug, version, input, tenant, place)
        join pipeline p on p.slug = g.slug
        join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
       where v.key_paths <> '[]' and g.place <> all (refused)
         and not exists (select from run r where r.id = g.id)) k
     order by k.slug, k.tenant, k.key, k.place
        on conflict (slug, tenant, key) do nothing;

    -- The key's run may have ended between the two statements: then nobody holds the key, and it is tried again.
    select count(*) into unsettled
      from unnest(run_ids, slugs, versions, inputs, tenants) with ordinality g(id, slug, version, input, tenant, place)
      join pipeline p on p.slug = g.slug
      join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
     where v.key_paths <> '[]' and g.place <> all (refused)
       and not exists (select from run r where r.id = g.id)
       and not exists (select from live_key l where l.slug = g.slug and l.tenant is not distinct from g.tenant
                          and l.key = run_key(g.slug, g.input, v.key_paths));
    exit when unsettled = 0;
  end loop;

  return query
    select g.place::int, l.run_id
      from unnest(run_ids, slugs, versions, inputs, tenants) with ordinality g(id, slug, version, input, tenant, place)
      join pipeline p on p.slug = g.slug
      join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
      join live_key l on l.slug = g.slug and l.tenant is not distinct from g.tenant and l.key = run_key(g.slug, g.input, v.key_paths)
     where v.key_paths <> '[]' and g.place <> all (refused) and l.run_id <> g.id
       and not exists (select from run r where r.id = g.id);
end $$;
comment on function millrace.take_run_keys(uuid[], text[], int[], jsonb[], text[], int[])
  is 'Takes the run keys of a batch; answers for those that have a live run.';
