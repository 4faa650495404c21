-- Drains a worker: it finishes what it holds and stops.
create or replace function millrace.drain_worker(worker_id uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  return order_worker(drain_worker.worker_id, 'draining');
end $$;
comment on function millrace.drain_worker(uuid) is 'Drains a worker: it finishes what it holds and stops.';
