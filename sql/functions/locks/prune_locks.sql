-- Removes a batch of rows of locks whose attempts are over: they count no more, and nobody may ever ask for the same lock again.
create or replace function millrace.prune_locks(batch int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
declare
  removed int;
begin
  delete from lock_request q where q.id in (
    select l.id from lock_request l
     where not exists (select from task t where t.id = l.task_id and t.step_id = l.step_id and t.attempt = l.attempt and t.worker_id = l.worker_id)
     limit batch for update skip locked);
  get diagnostics removed = row_count;
  return removed >= batch;
end $$;
comment on function millrace.prune_locks(int) is 'Removes a batch of rows of locks whose attempts are over; answers whether there may be more.';
