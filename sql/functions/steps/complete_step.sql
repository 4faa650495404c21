-- An executor outside completes a step. A completion that was recorded already (its answer was lost) is answered false and changes nothing.
create or replace function millrace.complete_step(run_id uuid, step text, attempt int, output jsonb default null, item int default -1)
returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  held record;
begin
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  begin
    select * into held from held_step(complete_step.run_id, complete_step.step, complete_step.attempt, complete_step.item);
  exception when sqlstate 'MR008' then
    -- Asked only now: the same completion may have been under way while this one waited for the task.
    if exists (select from attempt a where a.run_id = complete_step.run_id and a.step = complete_step.step and a.item = complete_step.item
                  and a.attempt = complete_step.attempt and a.outcome = 'completed') then
      perform hear_run(complete_step.run_id);
      return false;
    end if;
    raise;
  end;
  perform refuse_clear_output(complete_step.run_id, complete_step.step, complete_step.output);
  -- Seats before states: who ends this step may begin another one in the same transaction (see lock_limit_states).
  perform lock_limit_states(array(select distinct h.id from task t cross join unnest(t.holds) h(id) where t.id = held.task_id order by h.id), true);
  perform complete_tasks(held.worker_id, held.lock_key, array[held.task_id], array[held.step_id], array[complete_step.attempt], array[complete_step.output]);
  update worker w set state = 'gone', gone_at = millrace.now(), gone_reason = 'it completed its step' where w.id = held.worker_id;
  perform hear_run(complete_step.run_id);
  return true;
end $$;
comment on function millrace.complete_step(uuid, text, int, jsonb, int) is 'An executor outside completes a step; false where that was recorded already.';
