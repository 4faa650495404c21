-- Takes back what a gone worker held: each lost attempt counts as a failure, so a step that kills its worker ends as a dead letter.
-- The caller gives the tasks: no index leads from a worker to them, because every hand-over would pay for it, so they are looked up once
-- for all workers that are gone.
create or replace function millrace.reclaim_tasks(worker_id uuid, task_ids bigint[], reason text, at timestamptz, code text) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  taken record;
  reclaimed int := 0;
  lost jsonb := jsonb_build_object('code', reclaim_tasks.code, 'message', reclaim_tasks.reason, 'retryable', true);
  dead_runs uuid[] := array[]::uuid[];
  dead_steps int[] := array[]::int[];
  dead_items int[] := array[]::int[];
  dead_attempts int[] := array[]::int[];
  dead_priorities smallint[] := array[]::smallint[];
  dead_paused boolean[] := array[]::boolean[];
  left_runs uuid[] := array[]::uuid[];
  given_back bigint[];
  failed_runs uuid[];
  failed_steps int[];
  failed_values jsonb[];
begin
  perform lock_failing_runs(array_agg(t.run_id), array_agg(t.step_id))
     from task t join step_definition d on d.id = t.step_id
    where t.id = any (task_ids) and t.worker_id = reclaim_tasks.worker_id and t.failures + 1 >= (retry_policy(d, lost)).max_attempts
      and t.aborted_at is null;
  for taken in
    with removed as (
      delete from task t using step_definition d
       where t.id = any (task_ids) and t.worker_id = reclaim_tasks.worker_id and d.id = t.step_id
      -- Whoever had to wait for these tasks has read the clock before: no attempt ends before it has begun, and none begins before the one it follows has ended.
      returning t.*, d.step, t.aborted_at is null and t.failures + 1 < (retry_policy(d, lost)).max_attempts as again, greatest(at, t.claimed_at) as ended_at
    ), written as (
      insert into attempt (run_id, step, item, attempt, worker_id, outcome, error, reason, ready_at, started_at, finished_at, retry_at)
      select r.run_id, r.step, r.item, r.attempt, r.worker_id, 'reclaimed', lost, reclaim_tasks.reason, r.ready_at, r.claimed_at, r.ended_at,
             case when r.again then r.ended_at end
        from removed r
    ), parked as (
      insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
      select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures + 1, 'paused', r.ended_at, true
        from removed r where r.again and r.paused
    ), again as (
      insert into task (id, handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
      select r.id, r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures + 1, r.ended_at
        from removed r where r.again and not r.paused
    )
    select r.run_id, r.step_id, r.item, r.attempt, r.priority, r.paused, r.again, r.aborted_at, r.holds, r.item_value from removed r
  loop
    given_back := given_back || taken.holds;
    if taken.aborted_at is null then
      failed_runs := failed_runs || taken.run_id;
      failed_steps := failed_steps || taken.step_id;
      failed_values := failed_values || array[taken.item_value];
    end if;
    reclaimed := reclaimed + 1;
    if taken.aborted_at is not null then
      left_runs := left_runs || taken.run_id;
    elsif not taken.again then
      dead_runs := dead_runs || taken.run_id;
      dead_steps := dead_steps || taken.step_id;
      dead_items := dead_items || taken.item;
      dead_attempts := dead_attempts || taken.attempt;
      dead_priorities := dead_priorities || taken.priority;
      dead_paused := dead_paused || taken.paused;
    end if;
  end loop;
  -- A probe that was lost has told nothing: its place is given back as others are.
  if failed_runs is not null then
    perform count_failures(failed_runs, failed_steps, failed_values, null, given_back, at);
  end if;
  if given_back is not null then
    perform release_limits(given_back, at);
  end if;
  if dead_runs <> '{}' then
    perform give_up_steps(dead_runs, dead_steps, dead_items, dead_attempts, dead_priorities, dead_paused,
                          array_fill(lost, array[cardinality(dead_runs)]), at);
  end if;
  if left_runs <> '{}' then
    perform advance_outcomes(left_runs, at);
  end if;
  if reclaimed > 0 then
    perform wake_workers(false);
  end if;
  return reclaimed;
end $$;
comment on function millrace.reclaim_tasks(uuid, bigint[], text, timestamptz, text) is 'Takes back what a gone worker held; answers how many tasks.';
