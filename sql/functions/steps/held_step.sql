-- The task of a step that this attempt of an executor outside holds, locked against reclaim; else an error that says so. The entry lock
-- comes before the row's, as in the sweep. Two calls of one attempt come one after the other. Its callers end with hear_run.
create or replace function millrace.held_step(run_id uuid, step text, attempt int, item int)
returns table (task_id bigint, step_id int, worker_id uuid, lock_key int)
language plpgsql
as $$
#variable_conflict use_column
declare
  definition step_definition := find_step(held_step.run_id, held_step.step, held_step.item);
  holds boolean := false;
begin
  if (held_step.attempt > 0) is not true then
    perform refuse_argument('attempt', 'the number that start_step answered', held_step.attempt::text);
  end if;
  select t.id, t.step_id, w.id, w.lock_key into task_id, step_id, worker_id, lock_key
    from task t join worker w on w.id = t.worker_id and w.kind = 'outside'
   where t.run_id = held_step.run_id and t.step_id = definition.id and t.item = held_step.item and t.attempt = held_step.attempt;
  if found and enter_worker(held_step.worker_id, held_step.lock_key) then
    perform 1 from task t where t.id = held_step.task_id and t.worker_id = held_step.worker_id and t.attempt = held_step.attempt for update;
    holds := found;
  end if;
  if not holds then
    raise exception 'Attempt % no longer holds step ''%'' of run %.', held_step.attempt, held_step.step, held_step.run_id
      using errcode = 'MR008', hint = 'Its lease ran out, or the run ended: stop, and take the step again with start_step if it is still wanted.';
  end if;
  return next;
end $$;
comment on function millrace.held_step(uuid, text, int, int) is 'The task that this attempt of an executor outside holds.';
