-- The net below those who wait for limits: who was locked when there was room for it, or had no live worker, is called here. At most a hundred
-- states a turn, going on where the last one ended; what somebody has locked is left to them. A state that was touched within the last
-- second is left too, so that what was called is claimed before more are; but where something is touched all the time, it is looked at every ten seconds.
--
-- Of those who wait for a breaker that has closed some thousands go on each time, a page of them after the other: whoever comes new passes it, and
-- nobody else calls them. Where a rule counts what is under way, none are called for the room of those who were called before (see room_to_call).
create or replace function millrace.call_left_waiters(at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  after bigint;
  looked bigint[];
  still_ids bigint[];
  closed_ids bigint[];
begin
  -- Nothing is locked where there is nothing to call: a heartbeat that has locked nothing claims more (see heartbeat_worker).
  if not exists (select from limit_state s where s.waiting) or not pg_try_advisory_xact_lock(77422, 7) then
    return;
  end if;
  select c.state_id into after from limit_cursor c;
  looked := array(select s.id from limit_state s where s.waiting and s.id > after order by s.id limit 100);
  after := case when cardinality(looked) < 100 then 0 else looked[100] end;
  update limit_cursor c set state_id = after where c.state_id <> after;
  still_ids := array(
    select l.id from unnest(looked) g(id)
     cross join lateral (select s.id from limit_state s where s.id = g.id and (s.changed_at <= at - interval '1 second' or s.looked_at <= at - interval '10 seconds') for update skip locked) l);
  if still_ids = '{}' then
    return;
  end if;
  update limit_state s set changed_at = at, looked_at = at where s.id = any (still_ids);
  perform call_waiters(still_ids, at, room_to_call(still_ids, at));
  for page in 2 .. 10 loop
    closed_ids := array(
      select s.id from limit_state s join limit_rule k on k.id = s.rule_id
       where s.id = any (still_ids) and s.waiting and k.kind = 'breaker' and s.open_until is null order by s.id);
    exit when closed_ids = '{}' or call_waiters(closed_ids, at) = 0;
  end loop;
end $$;
comment on function millrace.call_left_waiters(timestamptz) is 'Calls those who still wait for limits that have room, a hundred limits a turn.';
