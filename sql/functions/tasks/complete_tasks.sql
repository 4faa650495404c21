-- Completes (or skips, with a reason) a batch of tasks of one worker: writes their attempts, advances their graphs, ends the runs
-- that are done, and answers with the next tasks, already leased to the same worker. One commit a step, shared by the batch.
--
-- The fence is in the row conditions: worker, step and attempt must still be the holder's. What is not found so is answered as lost.
-- A transactional completion of an aborted step is lost too: its caller rolls back, so that nothing is written after a cancel.
-- A chain's next step takes the place of the finished one in its row, which no index sees: the cheapest move there is. What is not chained
-- is removed whatever its row says by now: a pause, resume or cancel that commits half-way must not hide it from both.
create or replace function millrace.complete_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], outputs jsonb[],
  skip_reasons text[] default null, writes jsonb[] default null, watched boolean[] default null, room int default 0, least_urgent smallint default 5,
  transactional boolean default false)
returns table (kind text, task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, output jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  taking boolean;
  open_lanes int[];
  best smallint;
  done record;
  recorded int := 0;
  chained_count int := 0;
  seen boolean[] := array_fill(false, array[cardinality(task_ids)]);
  ended uuid[] := array[]::uuid[];
  ended_outputs jsonb[] := array[]::jsonb[];
  graph_runs uuid[] := array[]::uuid[];
  graph_steps int[] := array[]::int[];
  graph_items int[] := array[]::int[];
  graph_priorities smallint[] := array[]::smallint[];
  graph_paused boolean[] := array[]::boolean[];
begin
  if not enter_worker(complete_tasks.worker_id, complete_tasks.lock_key) then
    return query select 'lost', l.id, null::uuid, null::int, null::int, null::jsonb, null::int, null::jsonb from unnest(task_ids) l(id);
    return;
  end if;
  select w.kind = 'worker' and w.ordered_state is null and w.state in ('idle', 'running'), best_priority(w.handlers, least_urgent),
         open_handlers(w.handlers)
    into taking, best, open_lanes
    from worker w where w.id = complete_tasks.worker_id;

  for done in
    with given as (
      select * from unnest(task_ids, step_ids, attempts, outputs, skip_reasons, writes)
               with ordinality g(task_id, step_id, attempt, output, skip_reason, writes, place)
    ), chained as (
      update task t
         set step_id = d.next_step_id, handler = d.next_handler, attempt = 1, failures = 0, ready_at = at, claimed_at = at
        from given g join step_definition d on d.id = g.step_id join task before on before.id = g.task_id
       where t.id = g.task_id and t.worker_id = complete_tasks.worker_id and t.attempt = g.attempt and t.step_id = g.step_id
         and taking and d.next_rule = 'chain' and t.aborted_at is null and not t.paused
         and t.priority <= best and d.next_handler = any (open_lanes)
      returning g.place, t.id, t.run_id, t.item, t.priority, before.ready_at, before.claimed_at, null::text as abort_reason,
                false as paused, 'next' as next_rule, d.step, d.next_step_id, g.attempt, g.output, g.skip_reason, g.writes, g.step_id
    ), unchained as materialized (
      select * from given g where g.place not in (select place from chained)
    ), removed as (
      delete from task t
       using unchained g join step_definition d on d.id = g.step_id
       where t.id = g.task_id and t.worker_id = complete_tasks.worker_id and t.attempt = g.attempt and t.step_id = g.step_id
         and not (transactional and t.aborted_at is not null)
      returning g.place, t.id, t.run_id, t.item, t.priority, t.ready_at, t.claimed_at, t.abort_reason,
                t.paused, d.next_rule, d.step, d.next_step_id, g.attempt, g.output, g.skip_reason, g.writes, g.step_id
    ), finished as (
      select * from chained union all select * from removed
    ), written as (
      insert into attempt (run_id, step, item, attempt, worker_id, outcome, output, writes, reason, ready_at, started_at, finished_at)
      select f.run_id, f.step, f.item, f.attempt, complete_tasks.worker_id,
             case when f.skip_reason is null then 'completed' else 'skipped' end,
             case when f.skip_reason is null then coalesce(f.output, 'null') end, f.writes, f.skip_reason, f.ready_at, f.claimed_at, greatest(at, f.claimed_at)
        from finished f
    )
    select * from finished
  loop
    recorded := recorded + 1;
    seen[done.place] := true;
    if done.next_rule = 'next' then
      chained_count := chained_count + 1;
      kind := 'next';
      task_id := done.id;
      step_id := done.next_step_id;
      attempt := 1;
      return next;
    elsif done.abort_reason is not null then
      continue;
    elsif done.next_rule = 'end' and done.item = -1 then
      ended := ended || done.run_id;
      ended_outputs := ended_outputs || coalesce(done.output, 'null');
      if watched[done.place] then
        kind := 'ended';
        task_id := null;
        step_id := null;
        attempt := null;
        run_id := done.run_id;
        output := coalesce(done.output, 'null');
        return next;
        run_id := null;
        output := null;
      end if;
    else
      graph_runs := graph_runs || done.run_id;
      graph_steps := graph_steps || done.step_id;
      graph_items := graph_items || done.item;
      graph_priorities := graph_priorities || done.priority;
      graph_paused := graph_paused || done.paused;
    end if;
  end loop;

  if ended <> '{}' then
    perform complete_runs(ended, ended_outputs, at);
  end if;
  if graph_runs <> '{}' then
    return query
      select a.kind, a.task_id, a.run_id, a.step_id, a.item, a.item_value, a.attempt, a.output
        from advance_runs(graph_runs, graph_steps, graph_items, graph_priorities, graph_paused,
                          case when taking then complete_tasks.worker_id end, complete_tasks.room + recorded - chained_count, best, open_lanes, at) a;
  end if;
  if recorded < cardinality(task_ids) then
    return query
      select 'lost', g.id, null::uuid, null::int, null::int, null::jsonb, null::int, null::jsonb
        from unnest(task_ids) with ordinality g(id, place) where not seen[g.place];
  end if;
end $$;
comment on function millrace.complete_tasks(uuid, int, bigint[], int[], int[], jsonb[], text[], jsonb[], boolean[], int, smallint, boolean)
  is 'Completes or skips a batch of tasks and answers with the next ones, leased to the same worker.';
