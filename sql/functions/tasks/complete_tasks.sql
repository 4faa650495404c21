-- Completes (or skips, with a reason) a batch of tasks of one worker: writes their attempts, advances their graphs, ends the runs
-- that are done, and answers with the next tasks, already leased to the same worker. One commit a step, shared by the batch.
--
-- The fence is in the row conditions: worker, step and attempt must still be the holder's. What is not found so is answered as lost. Tasks are
-- locked in the order of their ids, as everywhere.
-- A transactional completion of an aborted step is lost too: its caller rolls back, so that nothing is written after a cancel.
-- A chain's next step takes the place of the finished one in its row, which no index sees: the cheapest move there is. What is not chained
-- is removed by a statement of its own, whatever its row says by then: a pause, resume or cancel that commits in between must not hide it from both.
-- A step that called a run which ends here, and waits for it, comes back leased as well, to a worker that asks for it: as woken.
-- With a room below 0 nothing comes back leased: what was claimed together as a batch has one slot, and each of its tasks may lead to one.
-- An output that a map can't go over fails its run: all tasks of that run are locked before any of the batch leaves, as for every end.
create or replace function millrace.complete_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], outputs jsonb[],
  skip_reasons text[] default null, writes jsonb[] default null, watched boolean[] default null, room int default 0, least_urgent smallint default 5,
  transactional boolean default false, wakes boolean default false)
returns table (kind text, task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, output jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  given_count int := cardinality(task_ids);
  taking boolean;
  chaining boolean;
  listing boolean;
  branching boolean;
  followed boolean;
  doomed_ids bigint[];
  doomed_runs uuid[];
  doomed_steps int[];
  doomed_outputs jsonb[];
  left_runs uuid[];
  open_lanes int[];
  best smallint;
  chained_ids bigint[];
  chained_steps int[];
  removed_ids bigint[];
  ended uuid[];
  ended_outputs jsonb[];
  watched_places int[];
  graph_runs uuid[];
  graph_steps int[];
  graph_items int[];
  graph_priorities smallint[];
  graph_paused boolean[];
  recorded int;
  given_back bigint[];
  also_given_back bigint[];
  -- Of those that held something, none was skipped: that tells a breaker nothing.
  succeeded boolean := true;
  woken_ids bigint[];
  woken_count int := 0;
  room_left int;
begin
  if not enter_worker(complete_tasks.worker_id, complete_tasks.lock_key) then
    return query select 'lost', l.id, null::uuid, null::int, null::int, null::jsonb, null::int, null::jsonb from unnest(task_ids) l(id);
    return;
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  select bool_or(d.next_rule = 'chain'), bool_or(d.is_listed), bool_or(d.next_rule <> 'end'),
         bool_or(given_count > 1 and (d.kind = 'map' or exists (
           select from pipeline_version v where v.slug = d.slug and v.version = d.version and v.has_joins)))
    into chaining, listing, followed, branching
    from step_definition d where d.id = any (step_ids);
  -- Several tasks of one run may be in the batch where its pipeline branches or maps: they are locked in the order in which whoever
  -- ends or pauses the run locks them (see lock_run_tasks), not in that in which they were finished.
  if branching then
    perform 1 from task t where t.id = any (task_ids) and t.worker_id = complete_tasks.worker_id order by t.id for update;
  end if;
  -- What the worker could take on, asked only where something comes after these steps.
  if followed then
    select complete_tasks.room >= 0 and w.kind = 'worker' and w.ordered_state is null and w.state in ('idle', 'running'),
           best_priority(w.handed_handlers, least_urgent),
           -- Where nothing is closed, nothing is to be taken out of the list.
           case when exists (select from limited_step) or exists (select from turn_handler) or exists (select from pipeline p where p.paused_at is not null)
                then open_handlers(w.handed_handlers) else w.handed_handlers end
      into taking, best, open_lanes
      from worker w where w.id = complete_tasks.worker_id;
  end if;
  if listing then
    perform lock_run_tasks(array(select d.run_id from doomed_tasks(complete_tasks.worker_id, task_ids, step_ids, attempts, outputs, skip_reasons) d));
    -- Asked again, now that nothing changes any more.
    select array_agg(d.task_id), array_agg(d.run_id) into doomed_ids, doomed_runs
      from doomed_tasks(complete_tasks.worker_id, task_ids, step_ids, attempts, outputs, skip_reasons) d;
  end if;

  if 1 < any (attempts) then
    perform leave_waits(complete_tasks.worker_id, task_ids, step_ids, attempts, at);
  end if;

  if taking and chaining then
    with given as (
      select * from unnest(task_ids, step_ids, attempts, outputs, skip_reasons, writes) g(task_id, step_id, attempt, output, skip_reason, writes) order by g.task_id
    ), chained as (
      update task t
         set step_id = d.next_step_id, handler = d.next_handler, attempt = 1, failures = 0, ready_at = at, claimed_at = at, holds = null
        from given g join step_definition d on d.id = g.step_id, task before
       where t.id = any (array[g.task_id]) and before.ctid = t.ctid and t.worker_id = complete_tasks.worker_id and t.attempt = g.attempt and t.step_id = g.step_id
         and d.next_rule = 'chain' and t.aborted_at is null and not t.paused
         and t.priority <= best and d.next_handler = any (open_lanes) and (doomed_runs is null or t.run_id <> all (doomed_runs))
      returning t.id, t.run_id, t.item, before.ready_at, before.claimed_at, before.holds, d.step, d.next_step_id, g.attempt, g.output, g.skip_reason, g.writes
    ), written as (
      insert into attempt (run_id, step, item, attempt, worker_id, outcome, output, writes, reason, ready_at, started_at, finished_at)
      select f.run_id, f.step, f.item, f.attempt, complete_tasks.worker_id,
             case when f.skip_reason is null then 'completed' else 'skipped' end,
             case when f.skip_reason is null then coalesce(f.output, 'null') end, f.writes, f.skip_reason, f.ready_at, f.claimed_at, greatest(at, f.claimed_at)
        from chained f
    )
    select array_agg(f.id), array_agg(f.next_step_id), (select array_agg(h.id) from chained c cross join unnest(c.holds) h(id)),
           coalesce(bool_and(f.skip_reason is null or f.holds is null), true)
      into chained_ids, chained_steps, given_back, succeeded from chained f;
    return query select 'next', n.id, null::uuid, n.step_id, null::int, null::jsonb, 1, null::jsonb from unnest(chained_ids, chained_steps) n(id, step_id);
  end if;
  recorded := coalesce(cardinality(chained_ids), 0);
  if recorded = given_count then
    if given_back is not null then
      perform count_ends(given_back, at, succeeded);
    end if;
    return;
  end if;

  with given as (
    select * from unnest(task_ids, step_ids, attempts, outputs, skip_reasons, writes)
             with ordinality g(task_id, step_id, attempt, output, skip_reason, writes, place) order by g.task_id
  ), removed as (
    delete from task t
     using given g join step_definition d on d.id = g.step_id
     where t.id = any (array[g.task_id]) and t.worker_id = complete_tasks.worker_id and t.attempt = g.attempt and t.step_id = g.step_id
       and not (transactional and t.aborted_at is not null)
    returning g.place, t.id, t.run_id, t.item, t.priority, t.ready_at, t.claimed_at, t.paused, t.holds, d.step, g.attempt, g.output, g.skip_reason, g.writes, g.step_id,
              case when t.abort_reason is not null then 'aborted' when t.id = any (doomed_ids) then 'doomed'
                   when t.run_id = any (doomed_runs) then 'nothing' when d.next_rule = 'end' and t.item = -1 then 'end' else 'graph' end as leads_to
  ), written as (
    insert into attempt (run_id, step, item, attempt, worker_id, outcome, output, writes, reason, ready_at, started_at, finished_at)
    select f.run_id, f.step, f.item, f.attempt, complete_tasks.worker_id,
           case when f.skip_reason is null then 'completed' else 'skipped' end,
           case when f.skip_reason is null then coalesce(f.output, 'null') end, f.writes, f.skip_reason, f.ready_at, f.claimed_at, greatest(at, f.claimed_at)
      from removed f
  )
  select array_agg(f.id),
         array_agg(f.run_id) filter (where f.leads_to = 'end'), array_agg(coalesce(f.output, 'null')) filter (where f.leads_to = 'end'),
         array_agg(f.place) filter (where f.leads_to = 'end'),
         array_agg(f.run_id) filter (where f.leads_to = 'graph'), array_agg(f.step_id) filter (where f.leads_to = 'graph'),
         array_agg(f.item) filter (where f.leads_to = 'graph'), array_agg(f.priority) filter (where f.leads_to = 'graph'),
         array_agg(f.paused) filter (where f.leads_to = 'graph'),
         array_agg(f.run_id) filter (where f.leads_to = 'doomed'), array_agg(f.step_id) filter (where f.leads_to = 'doomed'),
         array_agg(f.output) filter (where f.leads_to = 'doomed'), array_agg(f.run_id) filter (where f.leads_to = 'aborted'),
         (select array_agg(h.id) from removed r cross join unnest(r.holds) h(id)), succeeded and coalesce(bool_and(f.skip_reason is null or f.holds is null), true)
    into removed_ids, ended, ended_outputs, watched_places, graph_runs, graph_steps, graph_items, graph_priorities, graph_paused, doomed_runs, doomed_steps, doomed_outputs, left_runs,
         also_given_back, succeeded
    from removed f;
  given_back := given_back || also_given_back;
  if given_back is not null then
    perform count_ends(given_back, at, succeeded);
  end if;
  recorded := recorded + coalesce(cardinality(removed_ids), 0);

  room_left := complete_tasks.room + coalesce(cardinality(removed_ids), 0);
  if ended is not null then
    woken_ids := complete_runs(ended, ended_outputs, at, case when wakes then complete_tasks.worker_id end, complete_tasks.lock_key, room_left);
    if wakes then
      return query
        select 'woken', t.id, t.run_id, t.step_id, t.item, null::jsonb, t.attempt, tell_claimed(t.id)
          from task t where t.id = any (woken_ids) and t.worker_id is not distinct from complete_tasks.worker_id;
      get diagnostics woken_count = row_count;
      room_left := room_left - woken_count;
    end if;
    return query
      select 'ended', null::bigint, e.run_id, null::int, null::int, null::jsonb, null::int, e.output
        from unnest(ended, ended_outputs, watched_places) e(run_id, output, place) where watched[e.place];
  end if;
  if graph_runs is not null then
    return query
      select a.kind, a.task_id, a.run_id, a.step_id, a.item, a.item_value, a.attempt, a.output
        from advance_runs(graph_runs, graph_steps, graph_items, graph_priorities, graph_paused,
                          case when taking then complete_tasks.worker_id end, room_left, best, open_lanes, at) a;
  end if;
  if doomed_runs is not null then
    perform fail_maps(doomed_runs, doomed_steps, doomed_outputs, at);
  end if;
  if left_runs is not null then
    perform advance_outcomes(left_runs, at);
  end if;
  if recorded < given_count then
    return query
      select 'lost', l.id, null::uuid, null::int, null::int, null::jsonb, null::int, null::jsonb
        from unnest(task_ids) l(id) where l.id <> all (coalesce(chained_ids || removed_ids, '{}'));
  end if;
end $$;
comment on function millrace.complete_tasks(uuid, int, bigint[], int[], int[], jsonb[], text[], jsonb[], boolean[], int, smallint, boolean, boolean)
  is 'Completes or skips a batch of tasks and answers with the next ones, leased to the same worker.';
