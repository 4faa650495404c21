-- Pauses a worker: it claims nothing more and keeps what it holds.
create or replace function millrace.pause_worker(worker_id uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  return order_worker(pause_worker.worker_id, 'paused');
end $$;
comment on function millrace.pause_worker(uuid) is 'Pauses a worker: it claims nothing more and keeps what it holds.';
