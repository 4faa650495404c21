-- An executor outside fails a step: {"code", "message", "retryable"}. Answers with the time of the next try, null where there is none.
create or replace function millrace.fail_step(
  run_id uuid, step text, attempt int, error jsonb, item int default -1, random float8 default random()) returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  held record;
  failing record;
  again timestamptz;
begin
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  -- A failure that ends the run locks all its tasks, in their order: before this step's own is locked, and after its holder has entered.
  select t.run_id, t.step_id, w.id as worker_id, w.lock_key into failing
    from task t join step_definition d on d.id = t.step_id and d.step = fail_step.step join worker w on w.id = t.worker_id and w.kind = 'outside'
   where t.run_id = fail_step.run_id and t.item = fail_step.item and t.attempt = fail_step.attempt
     and (t.failures + 1 >= (retry_policy(d, fail_step.error)).max_attempts or fail_step.error ->> 'retryable' = 'false' or d.retry_pacing = 'fail');
  if found and enter_worker(failing.worker_id, failing.lock_key) then
    perform lock_failing_runs(array[failing.run_id], array[failing.step_id]);
  end if;
  begin
    select * into held from held_step(fail_step.run_id, fail_step.step, fail_step.attempt, fail_step.item);
  exception when sqlstate 'MR008' then
    -- Asked only now: the same failure may have been under way while this one waited for the task.
    select a.retry_at into again from attempt a
     where a.run_id = fail_step.run_id and a.step = fail_step.step and a.item = fail_step.item and a.attempt = fail_step.attempt
       and a.outcome = 'failed';
    if found then
      perform hear_run(fail_step.run_id);
      return again;
    end if;
    raise;
  end;
  -- Seats before states: who ends this step may begin another one in the same transaction (see lock_limit_states).
  perform lock_limit_states(array(select distinct h.id from task t cross join unnest(t.holds) h(id) where t.id = held.task_id order by h.id), true);
  select f.retry_at into again
    from fail_tasks(held.worker_id, held.lock_key, array[held.task_id], array[held.step_id], array[fail_step.attempt],
                    array[outside_error(fail_step.run_id, fail_step.error)], array[fail_step.random]) f where f.kind = 'retry';
  update worker w set state = 'gone', gone_at = millrace.now(), gone_reason = 'its step failed' where w.id = held.worker_id;
  perform hear_run(fail_step.run_id);
  return again;
end $$;
comment on function millrace.fail_step(uuid, text, int, jsonb, int, float8) is 'An executor outside fails a step; answers with the time of the next try.';
