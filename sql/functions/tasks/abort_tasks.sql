-- What becomes of the tasks of runs that end before their steps do: ready and waiting ones are gone, held ones are marked, so that their
-- workers abort them; how they end is still recorded. The workers concerned are told.
create or replace function millrace.abort_tasks(run_ids uuid[], reason text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  holder uuid;
begin
  delete from waiting_task where run_id = any (run_ids);
  delete from task where run_id = any (run_ids) and worker_id is null;
  delete from join_state where run_id = any (run_ids);
  for holder in
    with marked as (
      update task set aborted_at = at, abort_reason = abort_tasks.reason
       where run_id = any (run_ids) and aborted_at is null
      returning worker_id
    )
    select distinct worker_id from marked
  loop
    perform pg_notify('millrace_abort', holder::text);
  end loop;
end $$;
comment on function millrace.abort_tasks(uuid[], text, timestamptz) is 'Removes or aborts the tasks of runs that end before their steps do.';
