-- Gives tasks back unfinished, as a draining worker does: ready at once for others, and no failure is counted.
create or replace function millrace.release_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], reason text default 'released')
returns table (kind text, task_id bigint)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  left_runs uuid[];
  given_back bigint[];
  removed_ids bigint[];
begin
  if not enter_worker(release_tasks.worker_id, release_tasks.lock_key) then
    return query select 'lost', l.id from unnest(task_ids) l(id);
    return;
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  -- Asked once they are locked: a cancellation that commits meanwhile must not go unseen. Locked in the order in which all others lock them.
  perform from task t where t.id = any (task_ids) and t.worker_id = release_tasks.worker_id order by t.id for update;
  select array_agg(t.run_id) into left_runs from task t where t.id = any (task_ids) and t.aborted_at is not null;
  with given as (
    select * from unnest(task_ids, step_ids, attempts) g(task_id, step_id, attempt)
  ), removed as (
    delete from task t
     using given g join step_definition d on d.id = g.step_id
     where t.id = any (array[g.task_id]) and t.worker_id = release_tasks.worker_id and t.attempt = g.attempt and t.step_id = g.step_id
    returning t.*, d.step
  ), written as (
    insert into attempt (run_id, step, item, attempt, worker_id, outcome, reason, ready_at, started_at, finished_at)
    select r.run_id, r.step, r.item, r.attempt, r.worker_id,
           case when r.aborted_at is null then 'released' else 'cancelled' end, release_tasks.reason, r.ready_at, r.claimed_at, greatest(at, r.claimed_at)
      from removed r
  ), parked as (
    insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, 'paused', at, true
      from removed r where r.paused and r.aborted_at is null
  ), again as (
    insert into task (id, handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
    select r.id, r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, at
      from removed r where not r.paused and r.aborted_at is null
  )
  select array_agg(r.id), (select array_agg(h.id) from removed r cross join unnest(r.holds) h(id)) into removed_ids, given_back from removed r;
  return query select 'lost', g.id from unnest(task_ids) g(id) where g.id <> all (coalesce(removed_ids, '{}'));
  if given_back is not null then
    perform release_limits(given_back, at);
  end if;
  if left_runs is not null then
    perform advance_outcomes(left_runs, at);
  end if;
  perform wake_workers(false);
end $$;
comment on function millrace.release_tasks(uuid, int, bigint[], int[], int[], text) is 'Gives tasks back unfinished, without counting a failure.';
