-- What every end of a run leads to: a run that called it and waits goes on, its run key is free again, and whoever waits for it is told.
-- Callers come first: who parks a step that calls a run may wait for a run key, so nobody waits for that step after freeing one.
create or replace function millrace.settle_runs(run_ids uuid[], keyed boolean, called boolean, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  watched uuid;
begin
  if called then
    perform settle_children(settle_runs.run_ids, at);
  end if;
  if keyed then
    delete from live_key where run_id = any (settle_runs.run_ids);
  end if;
  if exists (select from run_deadline) then
    delete from run_deadline where run_id = any (settle_runs.run_ids);
  end if;
  if exists (select from run_watch) then
    for watched in select distinct w.run_id from run_watch w where w.run_id = any (settle_runs.run_ids) loop
      perform pg_notify('millrace_end', watched::text);
    end loop;
    delete from run_watch where run_id = any (settle_runs.run_ids);
  end if;
end $$;
comment on function millrace.settle_runs(uuid[], boolean, boolean, timestamptz)
  is 'What every end of a run leads to: its caller goes on, its key is free, its watchers are told.';
