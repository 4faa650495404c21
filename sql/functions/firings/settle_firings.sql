-- What the ends of firings lead to for their schedules. It comes after those ends, because whoever ends a run must not ask for the lock of a schedule.
-- Where a queued start waits for what an open transaction holds, its schedule alone is left for the next time; the others come in no fixed order then, so
-- that many such schedules keep nobody from a turn. Answers whether there is more.
create or replace function millrace.settle_firings(most int default 500) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  asked bigint[] := array(select distinct f.schedule_id from (select f.schedule_id from firing f where f.unsettled limit 10 * most) f limit most);
  held bigint[] := array(select s.id from schedule s where s.id = any (asked) order by s.id for update skip locked);
  alone bigint;
  waiting bigint[] := array[]::bigint[];
begin
  perform refuse_copied_database();
  if held = '{}' then
    return false;
  end if;
  begin
    perform settle_schedules(held, at);
  exception when lock_not_available then
    -- All together have waited for long enough: for each alone a moment will do.
    perform set_config('lock_timeout', '50ms', true);
    foreach alone in array array(select h from unnest(held) h order by random()) loop
      begin
        perform settle_schedules(array[alone], at);
      exception when lock_not_available then
        waiting := waiting || alone;
        exit when cardinality(waiting) >= 20;
      end;
    end loop;
  end;
  -- Where so many wait, the rest is for the next heartbeat.
  return cardinality(waiting) < 20 and exists (select from firing f where f.unsettled and f.schedule_id <> all (waiting));
end $$;
comment on function millrace.settle_firings(int) is 'What the ends of firings lead to for their schedules; answers whether there is more.';
