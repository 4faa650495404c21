-- What every end of a run leads to: its run key is free again, and whoever waits for it is told.
create or replace function millrace.settle_runs(run_ids uuid[], keyed boolean) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  watched uuid;
begin
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
comment on function millrace.settle_runs(uuid[], boolean) is 'What every end of a run leads to: its key is free, its watchers are told.';
