-- Firings whose run has completed, and of which it is to be seen now whether what they are expected to have done is so. Each is the caller's until
-- lease_seconds have passed: verify_at is moved there, and is what verify_firing asks for. Who doesn't come back leaves it to the next. Schedules take
-- turns, so that one whose query takes long keeps no other waiting. What is queued behind these runs begins here: the first look comes right after the end,
-- which leaves the lock of its schedule to others. Where somebody has that schedule at hand just then, the run is left for a second to the calls that follow,
-- since a look may take long, and what is queued would wait for the one after it.
create or replace function millrace.take_verifications(lease_seconds int default 60, row_limit int default 20)
returns table (id bigint, slot_at timestamptz, run_id uuid, output jsonb, expect jsonb, deadline_at timestamptz, verify_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  front record;
  at_hand bigint[];
begin
  perform refuse_copied_database();
  if take_verifications.lease_seconds is null or take_verifications.lease_seconds not between 1 and 3600 then
    perform refuse_argument('lease_seconds', 'from 1 to 3,600', take_verifications.lease_seconds::text);
  end if;
  if take_verifications.row_limit is null or take_verifications.row_limit not between 1 and 100 then
    perform refuse_argument('row_limit', 'from 1 to 100', take_verifications.row_limit::text);
  end if;
  select array_agg(f.id) as ids, array_agg(f.schedule_id) as schedules, array_agg(f.verify_at) as times into front
    from (select f.id, f.schedule_id, f.verify_at from firing f where f.verify_at <= at order by f.verify_at limit 10000) f;
  -- Schedules before their firings. What ends meanwhile is no part of the front, so that nothing is taken before its schedule was asked.
  at_hand := begin_queued(front.schedules, at);
  return query
    with turns as materialized (
      select o.id, o.verify_at, row_number() over (partition by o.schedule_id order by o.verify_at, o.id) as turn
        from unnest(front.ids, front.schedules, front.times) o(id, schedule_id, verify_at)
    ), due as (
      select f.id
        from turns t join firing f on f.id = any (array[t.id])
       where f.verify_at <= at and (f.schedule_id <> all (at_hand) or f.ended_at <= at - interval '1 second')
       order by t.turn, t.verify_at limit take_verifications.row_limit for update of f skip locked
    ), taken as (
      update firing f set verify_at = at + make_interval(secs => take_verifications.lease_seconds)
        from due where f.id = due.id
      returning f.id, f.slot_at, f.run_id, f.expect, f.ended_at, f.verify_within_ms, f.verify_at
    )
    select t.id, t.slot_at, t.run_id, u.output, t.expect, t.ended_at + make_interval(secs => coalesce(t.verify_within_ms, 600000) / 1000.0), t.verify_at
      from taken t left join run u on u.id = t.run_id
     order by t.id;
end $$;
comment on function millrace.take_verifications(int, int) is 'Firings of which it is to be seen now whether what they are expected to have done is so.';
