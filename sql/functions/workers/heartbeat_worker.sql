-- The one call that a worker makes twice a second: it prolongs the lease, hears which attempts it has lost or must abort and what a
-- person ordered, sweeps others that are gone, promotes what is due, and claims if it has room. An idle worker makes no other. `sweep` says whether it may
-- judge others by their locks, and say that nothing was heard of a run (see sweep_leases): all else that a sweep does comes with each heartbeat.
create or replace function millrace.heartbeat_worker(
  worker_id uuid, lock_key int, state text, sleeping boolean, locked boolean, task_ids bigint[], attempts int[],
  sweep boolean, room int, lane_handlers int[], lane_priorities smallint[], lane_positions bigint[])
returns table (kind text, detail text, task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint,
               handler int, failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  patient boolean;
begin
  if not enter_worker(heartbeat_worker.worker_id, heartbeat_worker.lock_key) then
    kind := 'gone';
    return next;
    return;
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  begin
    if sweep then
      perform sweep_workers(heartbeat_worker.worker_id);
    else
      perform sweep_leases(heartbeat_worker.worker_id);
    end if;
  exception when lock_not_available or deadlock_detected then
    null;
  end;
  perform promote_tasks(1000);
  -- Who has locked anything by that, or written, claims without waiting for more than the runs that begin: so it is part of no circle with those who claim and end.
  patient := pg_current_xact_id_if_assigned() is null;
  update worker w
     set heartbeat_at = at, lease_expires_at = greatest(w.lease_expires_at, at + make_interval(secs => w.lease_seconds)),
         state = heartbeat_worker.state, sleeping = heartbeat_worker.sleeping, locked = heartbeat_worker.locked
   where w.id = heartbeat_worker.worker_id
  returning coalesce(w.ordered_state, 'none') into detail;
  kind := 'order';
  return next;

  for kind, detail, task_id in
    select case when t.id is null then 'lost' else 'abort' end, t.abort_reason, held.id
      from unnest(task_ids, attempts) held(id, attempt)
      left join task t on t.id = any (array[held.id]) and t.attempt = held.attempt and t.worker_id = heartbeat_worker.worker_id
     where t.id is null or t.aborted_at is not null
  loop
    return next;
  end loop;

  -- What people ordered to be redriven is carried out beside the heartbeat.
  if exists (select from redrive d where d.finished_at is null) then
    kind := 'redrive';
    task_id := null;
    detail := null;
    return next;
  end if;
  -- Schedules and their like are worked off beside the heartbeat as well; what is due before the next one is waited for.
  for kind, detail in
    select case when d.due_ms > 0 then 'due' else 'trigger' end, case when d.due_ms > 0 then d.due_ms::text else d.kind end from due_triggers(at) d
  loop
    task_id := null;
    return next;
  end loop;
  -- What is due before the next heartbeat would be late by half of one: so the worker comes again for it.
  for detail in
    select ceil(extract(epoch from w.available_at - at) * 1000) from waiting_task w
     where not w.paused and w.available_at <= at + interval '1 second' order by w.available_at limit 1
  loop
    kind := 'due';
    task_id := null;
    return next;
  end loop;
  if room > 0 then
    return query
      select 'task', null::text, c.*
        from claim_tasks(heartbeat_worker.worker_id, heartbeat_worker.lock_key, room, lane_handlers, lane_priorities, lane_positions, patient) c;
    -- New keys and turns were left out: a worker that nobody wakes would never look for them, where each of its heartbeats writes something.
    if not patient and limited_handlers(lane_handlers) <> '{}' then
      kind := 'look';
      task_id := null;
      detail := null;
      return next;
    end if;
  end if;
end $$;
comment on function millrace.heartbeat_worker(uuid, int, text, boolean, boolean, bigint[], int[], boolean, int, int[], smallint[], bigint[])
  is 'Prolongs a worker''s lease; answers with what it lost, what was ordered, and new tasks.';
