-- Whether this attempt still holds its task: the guard that a tx step asks before it begins (without a lock).
create or replace function millrace.hold_task(worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  return enter_worker(hold_task.worker_id, hold_task.lock_key) and exists (
    select from task t
     where t.id = hold_task.task_id and t.step_id = hold_task.step_id and t.attempt = hold_task.attempt
       and t.worker_id = hold_task.worker_id and t.aborted_at is null);
end $$;
comment on function millrace.hold_task(uuid, int, bigint, int, int) is 'Whether this attempt still holds its task.';
