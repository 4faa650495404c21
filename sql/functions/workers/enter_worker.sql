-- The guard of everything a worker writes: is it still alive? It takes the worker's entry lock for the rest of the transaction;
-- the sweep takes the same lock alone, so no transaction of a worker can commit new leases while it is being swept. In a copy of its database
-- nobody is alive: what holds a lease there has it where the copy came from. What this_database found out in this session is read without a call of it.
create or replace function millrace.enter_worker(worker_id uuid, lock_key int) returns boolean
language plpgsql
as $$
begin
  perform pg_advisory_xact_lock_shared(77420, enter_worker.lock_key);
  return exists (select from millrace.worker w
                  where w.id = enter_worker.worker_id and w.lock_key = enter_worker.lock_key and w.state <> 'gone'
                    and w.database = coalesce(nullif(current_setting('millrace.this_database', true), ''), millrace.this_database()));
end $$;
comment on function millrace.enter_worker(uuid, int) is 'Whether a worker is still alive; holds off its sweep until the transaction ends.';
