-- An executor outside prolongs its hold on a step. Answers true, or false where the run is being ended and the work should stop.
create or replace function millrace.heartbeat_step(run_id uuid, step text, attempt int, item int default -1) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  held record;
begin
  select * into held from held_step(heartbeat_step.run_id, heartbeat_step.step, heartbeat_step.attempt, heartbeat_step.item);
  update worker w set heartbeat_at = at, lease_expires_at = greatest(w.lease_expires_at, at + make_interval(secs => w.lease_seconds))
   where w.id = held.worker_id;
  perform hear_run(heartbeat_step.run_id);
  return (select t.aborted_at is null from task t where t.id = held.task_id);
end $$;
comment on function millrace.heartbeat_step(uuid, text, int, int) is 'Prolongs the hold on a step; false where the work should stop.';
