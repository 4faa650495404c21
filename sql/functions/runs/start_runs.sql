-- Starts runs, all or none: the only place where a run begins. Rows come back only for what differs from "created and waiting for a
-- worker": refused starts with their reason, and tasks handed over already leased to the starting process's own worker.
--
-- versions: null takes the active one. idempotency keys and run keys are settled first, in the order of the keys, so that two
-- batches can't wait for each other in a circle. A run id that exists already is the same start, asked again: it is answered as such.
create or replace function millrace.start_runs(
  run_ids uuid[],
  slugs text[],
  versions int[],
  inputs jsonb[],
  priorities smallint[] default null,
  tenants text[] default null,
  headers jsonb[] default null,
  available_ats timestamptz[] default null,
  idempotency_keys text[] default null,
  idempotency_seconds int[] default null,
  started_via text default 'sql',
  worker_id uuid default null,
  worker_lock_key int default null,
  room int default 0,
  wake_always boolean default true
)
returns table (reason text, run_id uuid, live_run_id uuid, task_id bigint, step_id int)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  keep boolean[];
  refused record;
  started record;
  kept int := cardinality(run_ids);
  leasing boolean := false;
begin
  if kept = 0 then
    return;
  end if;
  if kept > 10000 then
    raise exception '% starts in one call; 10,000 are the most.', kept
      using errcode = 'MR004', hint = 'Start them in several calls.';
  end if;
  if not (select bool_and(id >= uuid_floor(at - interval '1 day') and id < uuid_floor(at + interval '1 day')) from unnest(run_ids) id) then
    raise exception 'A run id lies more than a day off the database''s clock.'
      using errcode = 'MR005', hint = 'Make version 7 ids with the current time, or give none.';
  end if;

  if available_ats is not null and exists (
       select from unnest(available_ats) a where a not between at - interval '1 year' and at + interval '10 years') then
    raise exception 'A start lies more than a year back or more than ten years ahead: %.',
      (select a from unnest(available_ats) a where a not between at - interval '1 year' and at + interval '10 years' limit 1)
      using errcode = 'MR012', hint = 'Give available_at as a timestamp, and leave it out to start at once.';
  end if;

  perform check_start(g.slug, g.version) from (select distinct slug, version from unnest(slugs, versions) u(slug, version)) g;

  -- Refusals first: pause, idempotency key, run key. The arrays shrink to what remains.
  for refused in
    select * from refuse_starts(run_ids, slugs, versions, inputs, tenants, idempotency_keys, idempotency_seconds, at)
  loop
    keep := coalesce(keep, array_fill(true, array[cardinality(run_ids)]));
    keep[refused.place] := false;
    kept := kept - 1;
    reason := refused.reason;
    run_id := run_ids[refused.place];
    live_run_id := refused.live_run_id;
    return next;
  end loop;
  if kept = 0 then
    return;
  end if;

  if worker_id is not null and kept <= room then
    leasing := available_ats is null and may_hand_over(worker_id, worker_lock_key, slugs, versions, priorities, room);
  end if;
  live_run_id := null;

  for started in
    select g.slug, g.version, v.version as resolved, v.entry_steps, v.key_paths,
           exists (select from step_definition d where d.slug = v.slug and d.version = v.version and cardinality(d.needs) > 1) as joins
      from (select distinct slug, version from unnest(slugs, versions) u(slug, version)) g
      join pipeline p on p.slug = g.slug
      join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
  loop
    for task_id, run_id, step_id in
      with begun as (
        insert into run (id, slug, version, tenant, key, state, priority, input, headers, idempotency_key,
                         started_via, started_by, created_at, available_at, started_at)
        select g.id, started.slug, started.resolved, g.tenant, run_key(started.slug, g.input, started.key_paths),
               case when leasing then 'running' else 'pending' end,
               coalesce(g.priority, 5), g.input, g.headers, g.idempotency_key,
               start_runs.started_via, session_user, at, case when g.available_at > at then g.available_at end,
               case when leasing then at end
          from unnest(run_ids, slugs, versions, inputs, priorities, tenants, headers, available_ats, idempotency_keys, keep)
               g(id, slug, version, input, priority, tenant, headers, available_at, idempotency_key, keep)
         where g.slug = started.slug and g.version is not distinct from started.version and g.keep is not false
            on conflict (id) do nothing
        returning id, priority, available_at
      ), joined as (
        insert into join_state (run_id, step_id, needs_left)
        select b.id, d.id, cardinality(d.needs)
          from begun b cross join step_definition d
         where started.joins and d.slug = started.slug and d.version = started.resolved and cardinality(d.needs) > 1
      ), delayed as (
        insert into waiting_task (handler, priority, run_id, step_id, reason, available_at)
        select d.handler, b.priority, b.id, d.id, 'delayed', b.available_at
          from begun b cross join unnest(started.entry_steps) e(id) join step_definition d on d.id = e.id
         where b.available_at is not null
      )
      insert into task (handler, priority, run_id, step_id, attempt, worker_id, ready_at, claimed_at)
      select d.handler, b.priority, b.id, d.id, case when leasing then 1 else 0 end,
             case when leasing then start_runs.worker_id end, at, case when leasing then at end
        from begun b cross join unnest(started.entry_steps) e(id) join step_definition d on d.id = e.id
       where b.available_at is null
      returning id, run_id, step_id
    loop
      if leasing then
        reason := 'leased';
        return next;
      end if;
    end loop;
  end loop;

  if not leasing then
    perform wake_workers(wake_always);
  end if;
end $$;
comment on function millrace.start_runs(uuid[], text[], int[], jsonb[], smallint[], text[], jsonb[], timestamptz[], text[], int[], text, uuid, int, int, boolean)
  is 'Starts runs, all or none; answers for what was refused and what was handed over.';
