-- Ends runs well: the only place where a run becomes completed. A run that was failed or cancelled meanwhile stays so. Answers with the tasks
-- that called them and woke up, leased to the worker where it may have them all.
create or replace function millrace.complete_runs(
  run_ids uuid[], outputs jsonb[], at timestamptz, worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  woken_ids bigint[];
  keyed boolean;
  called boolean;
  is_counted boolean;
begin
  with ended as (
    update run r set state = 'completed', output = e.output, finished_at = complete_runs.at, paused_at = null,
                     started_at = coalesce(r.started_at, complete_runs.at)
      from unnest(run_ids, outputs) e(id, output)
     where r.id = e.id and r.finished_at is null
    returning r.key, r.parent_run_id
  )
  select count(ended.key) > 0, count(ended.parent_run_id) > 0, exists (select from failure_streak) into keyed, called, is_counted from ended;
  woken_ids := settle_runs(run_ids, keyed, called, at, complete_runs.worker_id, complete_runs.lock_key, complete_runs.room);
  if is_counted then
    perform end_streaks(run_ids);
  end if;
  return woken_ids;
end $$;
comment on function millrace.complete_runs(uuid[], jsonb[], timestamptz, uuid, int, int) is 'Ends runs well.';
