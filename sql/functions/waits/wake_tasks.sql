-- Makes parked tasks ready, and answers with them. Of a paused run they are held back until it is resumed, ready then. To a worker that has
-- room for all of them, and may have them, they come already leased: whoever wakes them gives it as the one that would claim them.
create or replace function millrace.wake_tasks(
  run_ids uuid[], step_ids int[], items int[], at timestamptz, worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  woken_ids bigint[];
  woken_runs uuid[];
  woken_handlers int[];
  least_urgent smallint;
  leasing boolean := false;
begin
  if worker_id is not null then
    -- Nobody changes them meanwhile: the caller has locked them.
    select array_agg(p.handler), max(p.priority), count(*) <= room into woken_handlers, least_urgent, leasing
      from (select distinct w.id, w.handler, w.priority from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
              join waiting_task w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item and w.reason = 'waiting'
             where not w.paused) p;
    leasing := leasing and woken_handlers is not null and may_hand_over(wake_tasks.worker_id, wake_tasks.lock_key, woken_handlers, least_urgent);
  end if;
  with parked as (
    select distinct w.id from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
      join waiting_task w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item and w.reason = 'waiting'
  ), held_back as (
    update waiting_task w set reason = 'paused', available_at = at from parked p where w.id = any (array[p.id]) and w.paused
  ), removed as (
    delete from waiting_task w using parked p where w.id = any (array[p.id]) and not w.paused returning w.*
  ), added as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at, worker_id, claimed_at)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt + case when leasing then 1 else 0 end, r.failures, at,
           case when leasing then wake_tasks.worker_id end, case when leasing then at end
      from removed r order by r.id
    returning id, run_id
  )
  select array_agg(a.id), array_agg(a.run_id) into woken_ids, woken_runs from added a;
  if woken_ids is null then
    return array[]::bigint[];
  end if;
  perform wake_runs(woken_runs);
  if not leasing then
    perform wake_workers(false);
  end if;
  return woken_ids;
end $$;
comment on function millrace.wake_tasks(uuid[], int[], int[], timestamptz, uuid, int, int) is 'Makes parked tasks ready, leased to a worker that may have them; answers with them.';
