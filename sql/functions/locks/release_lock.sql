-- Gives a lock back, or leaves its line, and tells the next one that waits. Answers whether it was still held.
create or replace function millrace.release_lock(worker_id uuid, request uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  ended lock_request;
  next_request uuid;
begin
  delete from lock_request q where q.request = release_lock.request and q.worker_id = release_lock.worker_id returning q.* into ended;
  if ended.id is null then
    return false;
  end if;
  select l.request into next_request from lock_line(ended.name, ended.tenant, millrace.now()) l limit 1;
  if next_request is not null then
    perform pg_notify('millrace_data', 'lock ' || next_request);
  end if;
  return ended.token is not null;
end $$;
comment on function millrace.release_lock(uuid, uuid) is 'Gives a lock back, or leaves its line; answers whether it was held.';
