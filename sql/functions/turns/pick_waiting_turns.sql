-- Locks up to so many of those who wait for a limit, turn by turn between their keys, and notes how far the turns have come. Where the first one takes
-- no turns, they come in their order, as where nobody does. At most a hundred in one call. The state is locked by the caller. Whose run is about to be
-- cancelled is left out (see call_waiters).
create or replace function millrace.pick_waiting_turns(state_id bigint, most int, served int[]) returns bigint[]
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  first record;
  told_weights jsonb;
  usual_weight int;
  current_key text;
  taken int;
  next_id bigint;
  next_key text;
  picked bigint[] := array[]::bigint[];
begin
  select w.priority, w.turn_key, w.handler into first from waiting_task w
   where w.limit_state_id = state_id and not w.paused and w.available_at is null and w.handler = any (served)
     and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
   order by w.priority, w.queued_at, w.id limit 1;
  if first.turn_key is null then
    return array(
      select w.id from waiting_task w
       where w.limit_state_id = state_id and not w.paused and w.available_at is null and w.handler = any (served)
         and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
       order by w.priority, w.queued_at, w.id limit greatest(most, 0) for update skip locked);
  end if;
  select k.weights, k.default_weight into told_weights, usual_weight
    from limited_step l join limit_rule k on k.id = l.rule_id where l.handler = first.handler and k.kind = 'fairness' order by k.id limit 1;
  select s.turn_key, s.turn_taken into current_key, taken from limit_state s where s.id = state_id;
  for n in 1 .. least(most, 100) loop
    next_id := null;
    if taken < coalesce((told_weights ->> current_key)::int, usual_weight, 1) then
      select w.id, w.turn_key into next_id, next_key from waiting_task w
       where w.limit_state_id = state_id and w.priority = first.priority and (w.turn_key, w.queued_at) >= (current_key, '-infinity') and w.turn_key <= current_key
         and not w.paused and w.available_at is null and w.handler = any (served) and w.id <> all (picked)
         and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
       order by w.turn_key, w.queued_at, w.id limit 1 for update skip locked;
      taken := taken + 1;
    end if;
    if next_id is null then
      select w.id, w.turn_key into next_id, next_key from waiting_task w
       where w.limit_state_id = state_id and w.priority = first.priority and w.turn_key > current_key
         and not w.paused and w.available_at is null and w.handler = any (served) and w.id <> all (picked)
         and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
       order by w.turn_key, w.queued_at, w.id limit 1 for update skip locked;
      taken := 1;
    end if;
    if next_id is null then
      select w.id, w.turn_key into next_id, next_key from waiting_task w
       where w.limit_state_id = state_id and w.priority = first.priority and w.turn_key >= ''
         and not w.paused and w.available_at is null and w.handler = any (served) and w.id <> all (picked)
         and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
       order by w.turn_key, w.queued_at, w.id limit 1 for update skip locked;
    end if;
    exit when next_id is null;
    current_key := next_key;
    picked := picked || next_id;
  end loop;
  update limit_state s set turn_key = current_key, turn_taken = taken where s.id = state_id;
  return picked;
end $$;
comment on function millrace.pick_waiting_turns(bigint, int, int[]) is 'Locks some of those who wait for a limit, turn by turn between their keys.';
