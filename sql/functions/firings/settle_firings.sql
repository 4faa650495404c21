-- What the ends of firings lead to for their schedules. It comes after those ends, because whoever ends a run must not ask for the lock of a schedule.
-- Where a queued start waits for what an open transaction holds, its schedule alone is left for the next time. Answers whether there is more.
create or replace function millrace.settle_firings(most int default 500) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  asked bigint[] := array(select distinct f.schedule_id from (select f.schedule_id from firing f where f.unsettled limit 10 * most) f limit most);
  held bigint[] := array(select s.id from schedule s where s.id = any (asked) order by s.id for update skip locked);
  waiting bigint[];
begin
  perform refuse_copied_database();
  if held = '{}' then
    return false;
  end if;
  waiting := settle_locked_schedules(held, millrace.now());
  -- Where so many wait, the rest is for the next heartbeat.
  return cardinality(waiting) < 20 and exists (select from firing f where f.unsettled and f.schedule_id <> all (waiting));
end $$;
comment on function millrace.settle_firings(int) is 'What the ends of firings lead to for their schedules; answers whether there is more.';
