-- What every end of a run leads to: a run that called it and waits goes on, its run key is free again, and whoever waits for it is told.
-- Answers with the tasks that woke up, leased to the worker where it may have them all.
-- Callers come first: who parks a step that calls a run may wait for a run key, so nobody waits for that step after freeing one.
create or replace function millrace.settle_runs(
  run_ids uuid[], keyed boolean, called boolean, at timestamptz, worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  woken_ids bigint[] := array[]::bigint[];
  watched uuid;
  bounded boolean;
  scheduled boolean;
  awaited boolean;
  told boolean;
begin
  if called then
    woken_ids := settle_children(settle_runs.run_ids, at, settle_runs.worker_id, settle_runs.lock_key, settle_runs.room);
  end if;
  if keyed then
    delete from live_key where run_id = any (settle_runs.run_ids);
  end if;
  -- Most installations have none of most of these: all are asked at once.
  select exists (select from run_deadline), exists (select from schedule), exists (select from run_watch), exists (select from callback)
    into bounded, scheduled, awaited, told;
  if bounded then
    delete from run_deadline where run_id = any (settle_runs.run_ids);
  end if;
  if scheduled then
    perform close_firings(settle_runs.run_ids, at);
  end if;
  if awaited then
    for watched in select distinct w.run_id from run_watch w where w.run_id = any (settle_runs.run_ids) loop
      perform pg_notify('millrace_end', watched::text);
    end loop;
    delete from run_watch where run_id = any (settle_runs.run_ids);
  end if;
  if told then
    perform queue_callbacks(settle_runs.run_ids, at);
  end if;
  return woken_ids;
end $$;
comment on function millrace.settle_runs(uuid[], boolean, boolean, timestamptz, uuid, int, int)
  is 'What every end of a run leads to: its caller goes on, its key is free, its watchers are told.';
