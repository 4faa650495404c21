-- The fence of what an attempt writes besides its outcome: its task, locked against a reclaim until the transaction ends; null where the
-- attempt no longer holds it, or was told to stop.
create or replace function millrace.fence_attempt(worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int) returns millrace.task
language plpgsql
as $$
#variable_conflict use_column
declare
  held millrace.task;
begin
  if millrace.enter_worker(fence_attempt.worker_id, fence_attempt.lock_key) then
    select t.* into held from millrace.task t
     where t.id = fence_attempt.task_id and t.step_id = fence_attempt.step_id and t.attempt = fence_attempt.attempt
       and t.worker_id = fence_attempt.worker_id and t.aborted_at is null
       for share;
  end if;
  return held;
end $$;
comment on function millrace.fence_attempt(uuid, int, bigint, int, int) is 'The task that an attempt holds, locked against a reclaim; null where it holds it no more.';
