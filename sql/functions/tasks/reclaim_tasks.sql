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
  dead_steps text[] := array[]::text[];
  dead_items int[] := array[]::int[];
begin
  perform lock_run_tasks(array(
    select distinct t.run_id from task t join step_definition d on d.id = t.step_id
     where t.id = any (task_ids) and t.worker_id = reclaim_tasks.worker_id and t.failures + 1 >= d.max_attempts));
  for taken in
    with removed as (
      delete from task t using step_definition d
       where t.id = any (task_ids) and t.worker_id = reclaim_tasks.worker_id and d.id = t.step_id
      returning t.*, d.step, t.aborted_at is null and t.failures + 1 < d.max_attempts as again
    ), written as (
      insert into attempt (run_id, step, item, attempt, worker_id, outcome, error, reason, ready_at, started_at, finished_at, retry_at)
      select r.run_id, r.step, r.item, r.attempt, r.worker_id, 'reclaimed', lost, reclaim_tasks.reason, r.ready_at, r.claimed_at, greatest(at, r.claimed_at),
             case when r.again then at end
        from removed r
    ), parked as (
      insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
      select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures + 1, 'paused', at, true
        from removed r where r.again and r.paused
    ), again as (
      insert into task (id, handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
      select r.id, r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures + 1, at
        from removed r where r.again and not r.paused
    )
    select r.run_id, r.step, r.item, r.again, r.aborted_at from removed r
  loop
    reclaimed := reclaimed + 1;
    if not taken.again and taken.aborted_at is null then
      dead_runs := dead_runs || taken.run_id;
      dead_steps := dead_steps || taken.step;
      dead_items := dead_items || taken.item;
    end if;
  end loop;
  if dead_runs <> '{}' then
    perform fail_runs(dead_runs, dead_steps, dead_items, array_fill(lost, array[cardinality(dead_runs)]), at);
  end if;
  if reclaimed > 0 then
    perform wake_workers(false);
  end if;
  return reclaimed;
end $$;
comment on function millrace.reclaim_tasks(uuid, bigint[], text, timestamptz, text) is 'Takes back what a gone worker held; answers how many tasks.';
