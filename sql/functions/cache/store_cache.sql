-- Stores what attempts computed, under the claims that they won. Where a claim is gone (the attempt lost its task, or the key was invalidated
-- since) nothing is stored: a value that began before an invalidation must not outlive it. Answers with the claims under which it was.
create or replace function millrace.store_cache(worker_id uuid, lock_key int, claim_ids bigint[], results jsonb[], lifetimes_ms float8[])
returns setof bigint
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  ready record;
  claimed cache_claim;
  entry_id bigint;
begin
  if not enter_worker(store_cache.worker_id, store_cache.lock_key) then
    return;
  end if;
  perform from task t
    where t.worker_id = store_cache.worker_id and t.id in (select c.task_id from cache_claim c where c.id = any (claim_ids))
    order by t.id for share;
  for ready in
    select c.id, s.value, s.lifetime_ms, d.step
      from unnest(claim_ids, results, lifetimes_ms) s(id, value, lifetime_ms)
      join cache_claim c on c.id = s.id and c.worker_id = store_cache.worker_id
      join task t on t.id = c.task_id and t.step_id = c.step_id and t.attempt = c.attempt and t.worker_id = c.worker_id and t.aborted_at is null
      join step_definition d on d.id = c.step_id
     order by c.scope, c.key, c.tenant
  loop
    delete from cache_claim c where c.id = ready.id returning c.* into claimed;
    continue when not found;
    insert into cache_entry as known (scope, key, tenant, value, size, run_id, step, computed_at, expires_at)
    values (claimed.scope, claimed.key, claimed.tenant, ready.value, octet_length(ready.value::text) + 200, claimed.run_id, ready.step, at,
            at + ready.lifetime_ms * interval '1 millisecond')
        on conflict (scope, key, tenant) do update
       set value = excluded.value, size = excluded.size, run_id = excluded.run_id, step = excluded.step,
           computed_at = excluded.computed_at, expires_at = excluded.expires_at
    returning known.id into entry_id;
    if claimed.awaited then
      perform pg_notify('millrace_data', 'cache ' || claimed.id);
    end if;
    -- Between two rounds of housekeeping it must not outgrow its bounds by much.
    if entry_id % 64 = 0 then
      perform prune_cache(1000);
    end if;
    return next ready.id;
  end loop;
end $$;
comment on function millrace.store_cache(uuid, int, bigint[], jsonb[], float8[]) is 'Stores what attempts computed, under the claims that they won.';
