-- Takes the idempotency keys of a batch in the order of the keys; answers with the places whose key is known already:
-- 'repeated' for the same input (with the run of then), 'conflict' for another. Keys beyond their lifetime are taken over.
create or replace function millrace.take_idempotency_keys(
  run_ids uuid[], slugs text[], inputs jsonb[], tenants text[], idempotency_keys text[], idempotency_seconds int[],
  refused int[], at timestamptz)
returns table (place int, reason text, live_run_id uuid)
language plpgsql
as $$
#variable_conflict use_column
begin
  insert into idempotency as known (slug, tenant, key, input_digest, input_digest_key, run_id, expires_at)
  select distinct on (g.slug, g.tenant, g.key) g.slug, g.tenant, g.key, input_digest(g.input, digest_key(g.input)), digest_key(g.input), g.id,
         at + make_interval(secs => coalesce(g.seconds, 86400))
    from unnest(run_ids, slugs, inputs, tenants, idempotency_keys, idempotency_seconds) with ordinality
         g(id, slug, input, tenant, key, seconds, place)
   where g.key is not null and g.place <> all (refused)
   order by g.slug, g.tenant, g.key, g.place
      on conflict (slug, tenant, key) do update
     set input_digest = excluded.input_digest, input_digest_key = excluded.input_digest_key, run_id = excluded.run_id, expires_at = excluded.expires_at
   where known.expires_at <= at;

  return query
    select g.place::int,
           case when k.input_digest = input_digest(g.input, k.input_digest_key) then 'repeated' else 'conflict' end,
           k.run_id
      from unnest(run_ids, slugs, inputs, tenants, idempotency_keys) with ordinality g(id, slug, input, tenant, key, place)
      join idempotency k on k.slug = any (array[g.slug]) and k.tenant is not distinct from g.tenant and k.key = g.key
     where g.key is not null and g.place <> all (refused) and k.run_id <> g.id;
end $$;
comment on function millrace.take_idempotency_keys(uuid[], text[], jsonb[], text[], text[], int[], int[], timestamptz)
  is 'Takes the idempotency keys of a batch; answers for those that are known already.';
