-- Resumes a paused worker.
create or replace function millrace.resume_worker(worker_id uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  return order_worker(resume_worker.worker_id, null);
end $$;
comment on function millrace.resume_worker(uuid) is 'Resumes a paused worker.';
