-- A worker leaves in good order. What it still held is given back as lost. It waits for the worker's own transactions that are under way:
-- one that committed a new lease after this look would leave it to nobody.
create or replace function millrace.stop_worker(worker_id uuid, lock_key int, reason text default 'it was stopped') returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  perform pg_advisory_xact_lock(77420, stop_worker.lock_key);
  if not enter_worker(stop_worker.worker_id, stop_worker.lock_key) then
    return false;
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  update worker w set state = 'gone', gone_at = at, gone_reason = stop_worker.reason, sleeping = false, ordered_state = null
   where w.id = stop_worker.worker_id;
  perform reclaim_tasks(stop_worker.worker_id, array(select t.id from task t where t.worker_id = stop_worker.worker_id), format('The worker stopped: %s.', stop_worker.reason), at, 'worker_lost');
  return true;
end $$;
comment on function millrace.stop_worker(uuid, int, text) is 'A worker leaves in good order.';
