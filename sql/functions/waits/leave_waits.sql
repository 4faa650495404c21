-- Steps that end while something that they once waited for is still open (the other side of a race) leave it. A step that never parked has
-- nothing open: so this looks only at later attempts.
create or replace function millrace.leave_waits(worker_id uuid, task_ids bigint[], step_ids int[], attempts int[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  perform 1 from unnest(task_ids, attempts) g(task_id, attempt)
    join task t on t.id = any (array[g.task_id]) and t.attempt = g.attempt and t.worker_id = leave_waits.worker_id
   where g.attempt > 1 order by g.task_id for update of t;
  perform drop_waits(array(
    select w.id from unnest(task_ids, step_ids, attempts) g(task_id, step_id, attempt)
      join task t on t.id = any (array[g.task_id]) and t.step_id = g.step_id and t.attempt = g.attempt and t.worker_id = leave_waits.worker_id
      join wait w on w.run_id = any (array[t.run_id]) and w.step_id = any (array[t.step_id]) and w.item = t.item
     where g.attempt > 1), leave_waits.at);
end $$;
comment on function millrace.leave_waits(uuid, bigint[], int[], int[], timestamptz) is 'Steps that end leave what they still waited for.';
