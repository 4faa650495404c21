-- What becomes of the tasks of runs that end before their steps do: ready and waiting ones are gone, held ones are marked, so that their
-- workers abort them; how they end is still recorded. The workers concerned are told. With a step it is about the tasks of that step alone:
-- a map that ends before its items do.
create or replace function millrace.abort_tasks(run_ids uuid[], reason text, at timestamptz, step_id int default null) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  holder uuid;
begin
  delete from waiting_task w where w.run_id = any (run_ids) and (abort_tasks.step_id is null or w.step_id = abort_tasks.step_id);
  delete from task t where t.run_id = any (run_ids) and t.claimed_at is null and (abort_tasks.step_id is null or t.step_id = abort_tasks.step_id);
  delete from join_state j where j.run_id = any (run_ids) and (abort_tasks.step_id is null or j.step_id = abort_tasks.step_id);
  delete from map_item m where m.run_id = any (run_ids) and (abort_tasks.step_id is null or m.step_id = abort_tasks.step_id);
  perform drop_waits(array(select w.id from wait w where w.run_id = any (run_ids) and (abort_tasks.step_id is null or w.step_id = abort_tasks.step_id)), at);
  for holder in
    with marked as (
      update task t set aborted_at = at, abort_reason = abort_tasks.reason
       where t.run_id = any (run_ids) and t.aborted_at is null and (abort_tasks.step_id is null or t.step_id = abort_tasks.step_id)
      returning t.worker_id
    )
    select distinct worker_id from marked
  loop
    perform pg_notify('millrace_abort', holder::text);
  end loop;
end $$;
comment on function millrace.abort_tasks(uuid[], text, timestamptz, int) is 'Removes or aborts the tasks of runs, or of one map, that end before their steps do.';
