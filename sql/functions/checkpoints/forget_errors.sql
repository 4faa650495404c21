-- Forgets errors of durable operations that a handler had got over, and has failed from after all: its next attempt runs them anew. Only for
-- the attempt that holds the task, and nothing but errors: a result stays what it is.
create or replace function millrace.forget_errors(worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, names text[]) returns void
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  held record;
begin
  if not enter_worker(forget_errors.worker_id, forget_errors.lock_key) then
    return;
  end if;
  select t.run_id, t.item, d.step into held
    from task t join step_definition d on d.id = t.step_id
   where t.id = forget_errors.task_id and t.step_id = forget_errors.step_id and t.attempt = forget_errors.attempt
     and t.worker_id = forget_errors.worker_id and t.aborted_at is null
     for share of t;
  delete from checkpoint c
   where c.run_id = held.run_id and c.step = held.step and c.item = held.item and c.name = any (forget_errors.names)
     and c.kind = 'run' and c.error is not null;
end $$;
comment on function millrace.forget_errors(uuid, int, bigint, int, int, text[]) is 'Forgets errors that a handler had got over, and has failed from after all.';
