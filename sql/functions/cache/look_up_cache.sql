-- Looks up values for attempts, in one batch. Each answer is a hit, or computing: the attempt has the claim on the key now, and is to compute the
-- value; or own: it has had it since it asked before; or busy: somebody else does, under the claim that is named; or lost: the attempt no longer holds its task; or encrypted: what is
-- encrypted elsewhere must not lie in the cache as it is.
--
-- A claim counts while its attempt holds its task: what a dead worker was computing, the next one takes over. After a claim was won the
-- entry is looked for again, since it may have been stored in between. Who waits names the claim that it was told last (waits): while that
-- stands nothing is locked or written for it. What is told goes into the run's history, hit or miss.
create or replace function millrace.look_up_cache(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], scopes text[], keys text[], waits bigint[], told boolean[])
returns table (place int, kind text, value jsonb, run_id uuid, computed_at timestamptz, claim_id bigint)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  waiting int[];
  asked record;
begin
  if not enter_worker(look_up_cache.worker_id, look_up_cache.lock_key) then
    return query select s.n::int, 'lost', null::jsonb, null::uuid, null::timestamptz, null::bigint from unnest(task_ids) with ordinality s(id, n);
    return;
  end if;
  select coalesce(array_agg(s.n::int), '{}') into waiting
    from unnest(waits) with ordinality s(claim, n)
    join cache_claim c on c.id = s.claim and c.awaited
    join task t on t.id = c.task_id and t.step_id = c.step_id and t.attempt = c.attempt and t.worker_id = c.worker_id and t.aborted_at is null;
  return query select n, 'busy', null::jsonb, null::uuid, null::timestamptz, waits[n] from unnest(waiting) n;
  if cardinality(waiting) = cardinality(task_ids) then
    return;
  end if;

  perform from task t
    where t.id = any (task_ids) and t.worker_id = look_up_cache.worker_id and t.aborted_at is null
    order by t.id for share;
  for asked in
    select s.n::int as place, s.scope, s.key, s.told, t.id as task_id, t.run_id, t.step_id, t.item, t.attempt, d.step, r.tenant, v.is_encrypted
      from unnest(task_ids, step_ids, attempts, scopes, keys, told) with ordinality s(task_id, step_id, attempt, scope, key, told, n)
      left join task t on t.id = s.task_id and t.step_id = s.step_id and t.attempt = s.attempt
       and t.worker_id = look_up_cache.worker_id and t.aborted_at is null
      left join step_definition d on d.id = t.step_id
      left join run r on r.id = t.run_id
      left join pipeline_version v on v.slug = r.slug and v.version = r.version
     where s.n <> all (waiting)
     -- As the columns sort, which is not as the database sorts other texts.
     order by s.scope collate "C", s.key collate "C", r.tenant, s.n
  loop
    place := asked.place;
    if asked.task_id is null or asked.is_encrypted then
      kind := case when asked.task_id is null then 'lost' else 'encrypted' end;
      value := null;
      return next;
      continue;
    end if;
    select f.kind, f.value, f.computed_by, f.computed_at, f.claim_id into kind, value, run_id, computed_at, claim_id
      from find_cached(asked.scope, asked.key, asked.tenant, asked.run_id, asked.task_id, asked.step_id, asked.attempt, look_up_cache.worker_id, at) f;
    if asked.told and kind in ('hit', 'computing') then
      perform write_event(asked.run_id, case kind when 'hit' then 'cache.hit' else 'cache.miss' end,
        jsonb_strip_nulls(jsonb_build_object('scope', asked.scope, 'key', asked.key, 'run', run_id, 'computed_at', computed_at)),
        asked.step, asked.item, asked.attempt);
    end if;
    return next;
  end loop;
end $$;
comment on function millrace.look_up_cache(uuid, int, bigint[], int[], int[], text[], text[], bigint[], boolean[])
  is 'Looks up values for attempts; answers with a hit, a claim to compute it, or who computes it.';
