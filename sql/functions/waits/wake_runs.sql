-- Runs of which a task woke up are running: the only place where a run leaves the state waiting. The rows are locked before they are looked
-- at, as wait_runs does: a task that parks and one that wakes at once see each other.
create or replace function millrace.wake_runs(run_ids uuid[]) returns void
language plpgsql
as $$
begin
  perform 1 from millrace.run r where r.id = any (run_ids) order by r.id for update;
  update millrace.run r set state = 'running' where r.id = any (run_ids) and r.state = 'waiting';
end $$;
comment on function millrace.wake_runs(uuid[]) is 'Runs of which a task woke up are running.';
