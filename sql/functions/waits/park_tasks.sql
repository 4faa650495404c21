-- Parks tasks: they leave their worker until one of the things that they wait for comes. The waits, the children that they call and the
-- approvals that they ask for are stored with the parking, all or nothing. A task of which one wait has a result already is ready at once.
-- Fenced as complete_tasks is; what ended under the handler is recorded as cancelled, and lost.
-- To a worker that gives its room beyond the slots that these tasks free, called runs come already leased where it may have them all.
create or replace function millrace.park_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], waits jsonb[], room int default null)
returns table (kind text, task_id bigint, claimed jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  held_ids bigint[];
  held_waits jsonb[];
  ended_ids bigint[];
  ready_ids bigint[];
  leased_ids bigint[];
  parked_runs uuid[];
  left_runs uuid[];
  given_back bigint[];
begin
  if not enter_worker(park_tasks.worker_id, park_tasks.lock_key) then
    return query select 'lost', l.id, null::jsonb from unnest(task_ids) l(id);
    return;
  end if;
  if exists (select from unnest(waits) w where jsonb_typeof(w) is distinct from 'array' or w = '[]') then
    perform refuse_argument('waits', 'a list of at least one wait for each task', 'less');
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  perform lock_signals(array_agg(t.run_id), array_agg(n.name))
     from unnest(task_ids, waits) g(task_id, waits)
     join task t on t.id = any (array[g.task_id])
    cross join lateral jsonb_array_elements(g.waits) s(spec)
    cross join lateral jsonb_array_elements_text(s.spec -> 'signals') n(name)
    where s.spec ->> 'kind' = 'signal';

  select array_agg(h.id), array_agg(h.waits), coalesce(array_agg(h.id) filter (where h.aborted_at is not null), '{}')
    into held_ids, held_waits, ended_ids
    from (select t.id, t.aborted_at, g.waits from unnest(task_ids, step_ids, attempts, waits) g(task_id, step_id, attempt, waits)
            join task t on t.id = any (array[g.task_id]) and t.step_id = g.step_id and t.attempt = g.attempt and t.worker_id = park_tasks.worker_id
           order by g.task_id for update of t) h;
  return query select 'lost', g.id, null::jsonb from unnest(task_ids) g(id) where g.id <> all (coalesce(held_ids, '{}')) or g.id = any (ended_ids);
  if held_ids is null then
    return;
  end if;

  select register_waits(array_agg(t.run_id), array_agg(t.step_id), array_agg(t.item), array_agg(t.attempt), array_agg(g.waits), at,
                        case when room is not null then park_tasks.worker_id end, park_tasks.lock_key, room + cardinality(held_ids))
    into leased_ids
     from unnest(held_ids, held_waits) g(id, waits) join task t on t.id = any (array[g.id]) and t.aborted_at is null;
  ready_ids := array(
    select t.id from unnest(held_ids, held_waits) g(id, waits)
      join task t on t.id = any (array[g.id]) and t.aborted_at is null
      join step_definition d on d.id = t.step_id
     where exists (select from jsonb_array_elements(g.waits) s(spec)
                     join checkpoint c on c.run_id = any (array[t.run_id]) and c.step = d.step and c.item = t.item and c.name = s.spec ->> 'name'));

  with removed as (
    delete from task t using step_definition d where t.id = any (held_ids) and d.id = t.step_id
    returning t.*, d.step, t.id = any (ready_ids) as is_ready
  ), written as (
    insert into attempt (run_id, step, item, attempt, worker_id, outcome, reason, ready_at, started_at, finished_at)
    select r.run_id, r.step, r.item, r.attempt, r.worker_id, case when r.aborted_at is null then 'parked' else 'cancelled' end,
           case when r.aborted_at is not null then 'its run ended' when r.is_ready then 'what it waited for was there'
                else tell_waits(r.run_id, r.step_id, r.item) end,
           r.ready_at, r.claimed_at, greatest(at, r.claimed_at)
      from removed r
  ), held_back as (
    insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, 'paused', at, true
      from removed r where r.is_ready and r.paused and r.aborted_at is null
  ), parked as (
    insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, 'waiting',
           (select min(w.due_at) from wait w where w.run_id = r.run_id and w.step_id = r.step_id and w.item = r.item), r.paused
      from removed r where not r.is_ready and r.aborted_at is null
    returning run_id
  ), again as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, at
      from removed r where r.is_ready and not r.paused and r.aborted_at is null order by r.id
  )
  select array_agg(p.run_id), (select array_agg(h.id) from removed r cross join unnest(r.holds) h(id)), (select array_agg(r.run_id) from removed r where r.aborted_at is not null)
    into parked_runs, given_back, left_runs from parked p;
  if given_back is not null then
    perform release_limits(given_back, at);
  end if;
  if left_runs is not null then
    perform advance_outcomes(left_runs, at);
  end if;

  if parked_runs is not null then
    perform wait_runs(parked_runs);
  end if;
  if ready_ids <> '{}' then
    perform wake_workers(false);
  end if;
  return query
    select case when g.id = any (ready_ids) then 'ready' else 'parked' end, g.id, null::jsonb from unnest(held_ids) g(id) where g.id <> all (ended_ids)
     union all
    select 'leased', l.id, tell_claimed(l.id) from unnest(leased_ids) l(id);
end $$;
comment on function millrace.park_tasks(uuid, int, bigint[], int[], int[], jsonb[], int)
  is 'Parks tasks until one of the things that they wait for comes; answers with called runs that come leased to the worker.';
