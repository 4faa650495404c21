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
  wake_always boolean default true,
  given_ids boolean default true,
  parents millrace.run_parent[] default null
)
returns table (reason text, run_id uuid, live_run_id uuid, task_id bigint, step_id int, rule text, passes_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  -- Starts of several people share a call, so each may say in its headers in whose name it is.
  started_by text := actor();
  earliest uuid := uuid_floor(at - interval '1 day');
  latest uuid := uuid_floor(at + interval '1 day');
  keep boolean[];
  refused record;
  known start_version[];
  resolved int[];
  started start_version;
  begun_ids uuid[];
  begun_priorities smallint[];
  begun_available timestamptz[];
  begun_keys text[];
  turn_handlers int[];
  turn_paths jsonb;
  turn_path text[];
  kept int := cardinality(run_ids);
  refusing boolean := idempotency_keys is not null;
  handlers int[] := array[]::int[];
  entries int := 0;
  leasing boolean := false;
  sealed boolean := false;
  ruled boolean := false;
  judged record;
  judged_places int[];
  judged_reasons text[];
  judged_runs uuid[];
  judged_rules text[];
  judged_passes timestamptz[];
  held_runs uuid[] := array[]::uuid[];
begin
  if kept = 0 then
    return;
  end if;
  if kept > 10000 then
    raise exception '% starts in one call; 10,000 are the most.', kept
      using errcode = 'MR004', hint = 'Start them in several calls.';
  end if;
  if not (earliest <= all (run_ids) and latest > all (run_ids)) then
    raise exception 'A run id lies more than a day off the database''s clock.'
      using errcode = 'MR005', hint = 'Make version 7 ids with the current time, or give none.';
  end if;
  if available_ats is not null and exists (
       select from unnest(available_ats) a where a not between at - interval '1 year' and at + interval '10 years') then
    raise exception 'A start lies more than a year back or more than ten years ahead: %.',
      (select a from unnest(available_ats) a where a not between at - interval '1 year' and at + interval '10 years' limit 1)
      using errcode = 'MR012', hint = 'Give available_at as a timestamp, and leave it out to start at once.';
  end if;

  known := find_start_versions(slugs, versions);
  foreach started in array known loop
    if started.is_split then
      -- From here on these starts name the version that their key has.
      versions := split_starts(run_ids, slugs, versions, inputs);
      known := find_start_versions(slugs, versions);
      exit;
    end if;
  end loop;
  foreach started in array known loop
    refusing := refusing or started.paused or started.key_paths <> '[]' or started.is_encrypted or started.is_ruled;
    ruled := ruled or started.is_ruled;
    sealed := sealed or started.is_encrypted;
    handlers := handlers || started.entry_handlers;
    entries := greatest(entries, cardinality(started.entry_steps));
  end loop;

  -- The table needn't ask for them again (see check_run_version).
  perform set_config('millrace.versions', 'found', true);

  -- Refusals first: pause, idempotency key, run key, and the rules on starts.
  if refusing then
    -- By the versions that were active when the starts came, whatever is activated while they wait for a key.
    resolved := array(
      select k.resolved from unnest(slugs, versions) with ordinality g(slug, version, n)
        join unnest(known) k on k.slug = g.slug and k.version is not distinct from g.version order by g.n);
    if sealed then
      perform refuse_clear_inputs(slugs, resolved, inputs);
    end if;
    if ruled then
      select j.* into judged
        from judge_starts(run_ids, slugs, resolved, inputs, tenants, headers, available_ats, idempotency_keys, idempotency_seconds, started_via, at) j;
      inputs := judged.inputs;
      headers := judged.headers;
      available_ats := judged.available_ats;
      held_runs := judged.held_runs;
      judged_places := judged.places;
      judged_reasons := judged.reasons;
      judged_runs := judged.live_runs;
      judged_rules := judged.rules;
      judged_passes := judged.passes_ats;
    end if;
    for refused in
      select f.place, f.reason, f.live_run_id, null::text as rule, null::timestamptz as passes_at
        from refuse_starts(run_ids, slugs, resolved, inputs, tenants, idempotency_keys, idempotency_seconds, at) f where not ruled
       union all
      select * from unnest(judged_places, judged_reasons, judged_runs, judged_rules, judged_passes)
    loop
      keep := coalesce(keep, array_fill(true, array[cardinality(run_ids)]));
      keep[refused.place] := false;
      kept := kept - 1;
      reason := refused.reason;
      run_id := run_ids[refused.place];
      live_run_id := refused.live_run_id;
      rule := refused.rule;
      passes_at := refused.passes_at;
      return next;
    end loop;
    if kept = 0 then
      return;
    end if;
  end if;

  if worker_id is not null and available_ats is null and kept * entries <= room then
    leasing := may_hand_over(worker_id, worker_lock_key, handlers, coalesce((select max(p) from unnest(priorities) p), 5::smallint));
  end if;

  foreach started in array known loop
    turn_paths := null;
    if started.is_fair then
      select f.handlers, f.key_paths, f.input_path into turn_handlers, turn_paths, turn_path from find_turns(started.entry_handlers) f;
    end if;
    -- Ids that were made for this call are nobody else's: they are not looked up before they are written.
    if given_ids then
      with begun as (
        insert into run (id, slug, version, tenant, key, state, priority, input, headers, idempotency_key, started_via, started_by, created_at, available_at, started_at,
                         parent_run_id, parent_step, parent_item, parent_call, parent_place, detached)
        select * from starting_runs(started, run_ids, slugs, versions, inputs, priorities, tenants, headers, available_ats, idempotency_keys, keep, parents,
                                    start_runs.started_via, started_by, at, leasing)
            on conflict (id) do nothing
        returning id, priority, available_at, case when turn_paths is not null then limit_key(turn_paths, turn_path, input, null, tenant) end as turn_key
      )
      select array_agg(b.id), array_agg(b.priority), array_agg(b.available_at), array_agg(b.turn_key)
        into begun_ids, begun_priorities, begun_available, begun_keys from begun b;
    else
      with begun as (
        insert into run (id, slug, version, tenant, key, state, priority, input, headers, idempotency_key, started_via, started_by, created_at, available_at, started_at,
                         parent_run_id, parent_step, parent_item, parent_call, parent_place, detached)
        select * from starting_runs(started, run_ids, slugs, versions, inputs, priorities, tenants, headers, available_ats, idempotency_keys, keep, parents,
                                    start_runs.started_via, started_by, at, leasing)
        returning id, priority, available_at, case when turn_paths is not null then limit_key(turn_paths, turn_path, input, null, tenant) end as turn_key
      )
      select array_agg(b.id), array_agg(b.priority), array_agg(b.available_at), array_agg(b.turn_key)
        into begun_ids, begun_priorities, begun_available, begun_keys from begun b;
    end if;

    if started.has_joins then
      insert into join_state (run_id, step_id, needs_left)
      select b.id, d.id, cardinality(d.needs)
        from unnest(begun_ids) b(id) cross join step_definition d
       where d.slug = started.slug and d.version = started.resolved and cardinality(d.needs) > 1;
    end if;
    if available_ats is not null then
      insert into waiting_task (handler, priority, run_id, step_id, reason, available_at)
      select e.handler, b.priority, b.id, e.id, 'delayed', b.available_at
        from unnest(started.entry_steps, started.entry_handlers) e(id, handler)
       cross join unnest(begun_ids, begun_priorities, begun_available) b(id, priority, available_at)
       where b.available_at is not null;
    end if;
    return query
      with added as (
        insert into task (handler, priority, run_id, step_id, attempt, worker_id, ready_at, claimed_at, turn_key)
        select e.handler, b.priority, b.id, e.id, case when leasing then 1 else 0 end,
               case when leasing then start_runs.worker_id end, at, case when leasing then at end,
               case when turn_paths is not null and e.handler = any (turn_handlers) then b.turn_key end
          from unnest(started.entry_steps, started.entry_handlers) e(id, handler)
         cross join unnest(begun_ids, begun_priorities, begun_available, begun_keys) b(id, priority, available_at, turn_key)
         where b.available_at is null
        returning id, run_id, step_id
      )
      select 'leased', a.run_id, null::uuid, a.id, a.step_id, null::text, null::timestamptz from added a where leasing;
  end loop;
  if held_runs <> '{}' then
    perform hold_starts(held_runs);
  end if;

  -- An id that a caller gave, or asks for again, may be that of another start: then this one did not happen, and that is said.
  if given_ids and exists (
       select from unnest(run_ids, slugs, inputs, tenants, keep) g(id, slug, input, tenant, keep) join run r on r.id = g.id
        where g.keep is not false and (r.slug <> g.slug or r.tenant is distinct from g.tenant or (not same_input(r.input, g.input) and not exists (select from coalesced_start c where c.run_id = r.id)))) then
    raise exception 'A run id is taken: it is that of a run of another pipeline or tenant, or with another input.'
      using errcode = 'MR009', hint = 'Give each start an id of its own, or none.';
  end if;

  if not leasing then
    perform wake_workers(wake_always);
  end if;
end $$;
comment on function millrace.start_runs(uuid[], text[], int[], jsonb[], smallint[], text[], jsonb[], timestamptz[], text[], int[], text, uuid, int, int, boolean, boolean, millrace.run_parent[])
  is 'Starts runs, all or none; answers for what was refused and what was handed over.';
