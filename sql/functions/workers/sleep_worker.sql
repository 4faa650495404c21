-- A worker says that it found nothing to claim and sleeps. It says so first, committed, and looks again after: a start in between either
-- sees the sleeper and notifies, or is seen by that look. One that looked
-- before and commits later than all looks waits for the next heartbeat, half a second at most.
create or replace function millrace.sleep_worker(worker_id uuid, lock_key int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if not enter_worker(sleep_worker.worker_id, sleep_worker.lock_key) then
    return false;
  end if;
  update worker w set sleeping = true where w.id = sleep_worker.worker_id and not w.sleeping;
  return true;
end $$;
comment on function millrace.sleep_worker(uuid, int) is 'A worker says that it sleeps and is to be woken.';
