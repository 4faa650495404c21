-- Calls tasks that wait for limits back to where claims look: as many as there is room for, by priority and then first come, first served. A
-- claim judges them once more: so a called task that nobody claims holds nothing. What somebody has locked is left: whoever takes room next, or
-- the next sweep, looks again. The states are locked by the caller. Its settings are its own: without statistics a planner would sort all who wait.
--
-- Who was called and is not claimed yet takes no slot, so the same room could be called for again and again. Who gives slots back calls as many as those
-- (most); a claim leaves room for those whom it saw unclaimed (less); a sweep comes once in a while. Nobody is called whose pipeline is paused, or whose run
-- the next sweep cancels, because it was rejected or is to make room.
--
-- Where tasks take turns, those who wait do as well (see pick_waiting_turns); in a strict order, whoever became ready first takes the place at its head.
create or replace function millrace.call_waiters(state_ids bigint[], at timestamptz, most int[] default null, less int default 0) returns int
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  called int;
begin
  with room as (
    select s.id, k.fifo, s.turn_key is not null as turns,
           case when k.fifo is not null and keeps_head(s, k.fifo) then 0 when k.kind = 'concurrency' then least(k.capacity - limit_used(s) - call_waiters.less, g.most) when k.kind = 'rate' or s.open_until is null then 1000
                           when s.open_until <= at and s.probe_id is null then 1 else 0 end as free
      from unnest(state_ids, call_waiters.most) g(id, most) join limit_state s on s.id = any (array[g.id]) join limit_rule k on k.id = s.rule_id
     where s.held_until is null or s.held_until <= at
  ), served as materialized (
    select s.handlers, unpaused_handlers(s.handlers) as going from (select served_handlers(at) as handlers offset 0) s
  ), picked as (
    select w.id from room r cross join served
     cross join lateral (
       select w.id from waiting_task w
        where w.limit_state_id = r.id and not w.paused and w.available_at is null and w.handler = any (served.going)
          and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
        order by w.priority, w.queued_at, w.id limit greatest(r.free, 0) for update skip locked) w
     where r.fifo is null and not r.turns
    union all
    select w.id from room r cross join served cross join unnest(pick_waiting_turns(r.id, r.free, served.going)) w(id) where r.fifo is null and r.turns and r.free > 0
    union all
    select w.id from room r cross join served
     cross join lateral (
       select o.id from generate_series(1, 9) p(priority)
        cross join lateral (
          select w.id, w.queued_at from waiting_task w
           where w.limit_state_id = r.id and w.priority = p.priority::smallint and not w.paused and w.available_at is null and w.handler = any (served.handlers)
           order by w.queued_at, w.id limit 1) o
        order by o.queued_at, o.id limit 1) first
     cross join lateral (select w.id from waiting_task w where w.id = first.id for update skip locked) w
     where r.fifo is not null and r.free > 0
  ), removed as (
    delete from waiting_task w using picked where w.id = any (array[picked.id]) returning w.*
  ), added as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at, holds, turn_key)
    select handler, priority, run_id, step_id, item, item_value, attempt, failures, queued_at, coalesce(holds, '{}'), turn_key
      from removed order by priority, queued_at, id
    returning 1
  ), headed as (
    update limit_state s set head_run = w.run_id, head_step = w.step_id, head_item = w.item, head_since = at
      from room r join removed w on w.limit_state_id = r.id where r.fifo is not null and s.id = any (array[r.id])
  )
  select count(*) into called from added;
  update limit_state s set waiting = false, turn_key = null, turn_taken = 0
   where s.id = any (state_ids) and s.waiting and (select true from waiting_task w where w.limit_state_id = s.id limit 1) is null;
  if called > 0 then
    perform wake_workers(false);
  end if;
  return called;
end $$;
comment on function millrace.call_waiters(bigint[], timestamptz, int[], int) is 'Calls tasks that wait for limits back to where claims look, as many as there is room for.';
