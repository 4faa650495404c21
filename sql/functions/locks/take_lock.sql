-- Asks for a named lock, and asks again under the same request until it is there: first come, first served. The answer is held, with the fencing
-- token; waiting; timeout; circle, where it would wait for ever for itself; or lost, where the attempt no longer holds its task.
--
-- A lock is a row and not a lock of a session, so that poolers don't matter. Only who stands first, with no holder before, may take it, and the
-- unique index on the holder keeps that true whatever two transactions see. While others stand before, nothing is locked or written.
create or replace function millrace.take_lock(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, request uuid, name text, wait_ms float8 default null)
returns table (kind text, token bigint)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  mine lock_request;
  first lock_request;
  held task;
begin
  select q.* into mine from lock_request q where q.request = take_lock.request;
  if mine.id is null then
    held := fence_attempt(take_lock.worker_id, take_lock.lock_key, take_lock.task_id, take_lock.step_id, take_lock.attempt);
    if held.id is null then
      return query select 'lost', null::bigint;
      return;
    end if;
    insert into lock_request (request, name, tenant, run_id, task_id, step_id, item, attempt, worker_id, asked_at, wait_until)
    select take_lock.request, take_lock.name, r.tenant, held.run_id, held.id, held.step_id, held.item, held.attempt, held.worker_id, at,
           at + take_lock.wait_ms * interval '1 millisecond'
      from run r where r.id = held.run_id
        on conflict (request) do nothing
    returning lock_request.* into mine;
    -- Asked again, since its connection was lost, while the first call was still under way.
    if mine.id is null then
      select q.* into mine from lock_request q where q.request = take_lock.request;
    end if;
  end if;

  select l.* into first from lock_line(mine.name, mine.tenant, at) l limit 1;
  if first.id = mine.id and first.token is null and held.id is null then
    held := fence_attempt(take_lock.worker_id, take_lock.lock_key, take_lock.task_id, take_lock.step_id, take_lock.attempt);
    if held.id is null then
      return query select 'lost', null::bigint;
      return;
    end if;
  end if;
  if first.id = mine.id and first.token is null then
    begin
      delete from lock_request q
       where q.name = mine.name and q.tenant is not distinct from mine.tenant and q.token is not null
         and not exists (select from task t where t.id = any (array[q.task_id]) and t.step_id = q.step_id and t.attempt = q.attempt and t.worker_id = q.worker_id);
      update lock_request q set granted_at = at, token = nextval('lock_token') where q.id = mine.id returning q.token into first.token;
    exception when unique_violation then
      first.token := null;
    end;
  end if;
  if first.id = mine.id and first.token is not null then
    return query select 'held', first.token;
  elsif mine.wait_until <= at then
    delete from lock_request q where q.id = mine.id;
    return query select 'timeout', null::bigint;
  elsif closes_circle(mine.request) then
    delete from lock_request q where q.id = mine.id;
    return query select 'circle', null::bigint;
  else
    return query select case when exists (select from lock_line(mine.name, mine.tenant, at) l where l.id = mine.id) then 'waiting' else 'lost' end, null::bigint;
  end if;
end $$;
comment on function millrace.take_lock(uuid, int, bigint, int, int, uuid, text, float8) is 'Asks for a named lock; answers held with its token, waiting, timeout, circle or lost.';
