-- Takes the run keys of a batch in the order of the keys; answers with the places whose key has a live run, and that run.
-- The insert waits for a concurrent start of the same key to commit or roll back, so that exactly one of them begins.
create or replace function millrace.take_run_keys(
  run_ids uuid[], slugs text[], versions int[], inputs jsonb[], tenants text[], refused int[])
returns table (place int, live_run_id uuid)
language plpgsql
as $$
#variable_conflict use_column
declare
  asked_ids uuid[];
  asked_slugs text[];
  asked_tenants text[];
  asked_keys text[];
  asked_places int[];
  unsettled int;
begin
  select array_agg(k.id), array_agg(k.slug), array_agg(k.tenant), array_agg(k.key), array_agg(k.place)
    into asked_ids, asked_slugs, asked_tenants, asked_keys, asked_places
    from (
      select g.id, g.slug, g.tenant, run_key(g.slug, g.input, v.key_paths) collate "C" as key, g.place::int as place
        from unnest(run_ids, slugs, versions, inputs, tenants) with ordinality g(id, slug, version, input, tenant, place)
        join pipeline p on p.slug = g.slug
        join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
       where v.key_paths <> '[]' and g.place <> all (refused) and not exists (select from run r where r.id = g.id)
       -- As the columns sort, which is not as the database sorts other texts.
       order by p.slug, g.tenant collate "C", key, g.place) k;

  for round in 1 .. 100 loop
    insert into live_key (slug, tenant, key, run_id)
    select a.slug, a.tenant, a.key, a.id
      from unnest(asked_ids, asked_slugs, asked_tenants, asked_keys) with ordinality a(id, slug, tenant, key, n)
     where not exists (select from run r where r.id = a.id)
     order by a.n
        on conflict (slug, tenant, key) do nothing;

    -- The key's run may have ended between the two statements: then nobody holds the key, and it is tried again.
    select count(*) into unsettled
      from unnest(asked_ids, asked_slugs, asked_tenants, asked_keys) a(id, slug, tenant, key)
     where not exists (select from run r where r.id = a.id)
       and not exists (select from live_key l where l.slug = any (array[a.slug]) and l.key = a.key and l.tenant is not distinct from a.tenant);
    exit when unsettled = 0;
  end loop;

  return query
    select a.place, l.run_id
      from unnest(asked_ids, asked_slugs, asked_tenants, asked_keys, asked_places) a(id, slug, tenant, key, place)
      join live_key l on l.slug = any (array[a.slug]) and l.key = a.key and l.tenant is not distinct from a.tenant
     where l.run_id <> a.id and not exists (select from run r where r.id = a.id);
end $$;
comment on function millrace.take_run_keys(uuid[], text[], int[], jsonb[], text[], int[])
  is 'Takes the run keys of a batch; answers for those that have a live run.';
