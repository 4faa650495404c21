-- An executor outside gives a step back unfinished; no failure is counted.
create or replace function millrace.release_step(run_id uuid, step text, attempt int, item int default -1, reason text default 'released') returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  held record;
begin
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  select * into held from held_step(release_step.run_id, release_step.step, release_step.attempt, release_step.item);
  -- Seats before states: who ends this step may begin another one in the same transaction (see lock_limit_states).
  perform lock_limit_states(array(select distinct h.id from task t cross join unnest(t.holds) h(id) where t.id = held.task_id order by h.id), true);
  perform release_tasks(held.worker_id, held.lock_key, array[held.task_id], array[held.step_id], array[release_step.attempt], release_step.reason);
  update worker w set state = 'gone', gone_at = millrace.now(), gone_reason = 'it released its step' where w.id = held.worker_id;
  perform hear_run(release_step.run_id);
end $$;
comment on function millrace.release_step(uuid, text, int, int, text) is 'An executor outside gives a step back unfinished.';
