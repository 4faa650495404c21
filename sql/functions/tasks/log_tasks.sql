-- Log lines of a worker's steps, in one batch. Lines of an attempt that no longer holds its task are dropped: a zombie can't write.
create or replace function millrace.log_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], messages text[], fields jsonb[]) returns int
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
  written int;
begin
  if not enter_worker(log_tasks.worker_id, log_tasks.lock_key) then
    return 0;
  end if;
  with held as (
    select t.run_id, d.step, t.item, t.attempt, g.message, g.fields, g.n
      from unnest(task_ids, step_ids, attempts, messages, fields) with ordinality g(task_id, step_id, attempt, message, fields, n)
      join task t on t.id = any (array[g.task_id]) and t.step_id = g.step_id and t.attempt = g.attempt and t.worker_id = log_tasks.worker_id
      join step_definition d on d.id = t.step_id
       for share of t
  )
  insert into event (run_id, at, actor, kind, step, item, attempt, detail)
  select run_id, millrace.now(), session_user, 'step.log', step, item, attempt,
         jsonb_build_object('message', left(message, 4000), 'fields', fields)
    from held order by n;
  get diagnostics written = row_count;
  return written;
end $$;
comment on function millrace.log_tasks(uuid, int, bigint[], int[], int[], text[], jsonb[]) is 'Log lines of a worker''s steps; answers how many were kept.';
