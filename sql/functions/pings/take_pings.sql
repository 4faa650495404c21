-- What is to be told to addresses outside now, each the caller's until lease_seconds have passed. An end isn't given out while somebody has the start
-- before it at hand: the two would overtake each other. And a start that did not get through isn't given out again once its firing has an end.
create or replace function millrace.take_pings(lease_seconds int default 30, row_limit int default 50)
returns table (
  id bigint, schedule_id bigint, kind text, signal text, attempts int, schedule text, ping_url text, ping_secret text, run_id uuid, slot_at timestamptz, late_ms bigint,
  state text, reason text, error_code text, is_overdue boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  perform refuse_copied_database();
  if take_pings.lease_seconds is null or take_pings.lease_seconds not between 1 and 3600 then
    perform refuse_argument('lease_seconds', 'from 1 to 3,600', take_pings.lease_seconds::text);
  end if;
  if take_pings.row_limit is null or take_pings.row_limit not between 1 and 1000 then
    perform refuse_argument('row_limit', 'from 1 to 1,000', take_pings.row_limit::text);
  end if;
  -- Nobody asks for it any more.
  delete from ping p using schedule s where p.next_at <= at and s.id = p.schedule_id and s.ping_url is null and s.ping_secret is null;
  delete from ping p
   where p.kind = 'start' and p.schedule_id = any (array(
     select o.schedule_id from ping o join firing f on f.id = o.firing_id
      where o.kind = 'start' and o.attempts > 0 and o.next_at <= at
        and (f.closed_at is not null or f.overdue_at is not null
             or exists (select from ping e where e.schedule_id = o.schedule_id and e.kind = 'end' and e.firing_id >= o.firing_id))
        for update of o skip locked));
  return query
    with due as (
      select p.schedule_id, p.kind from ping p
       where p.next_at <= at
         and not (p.kind = 'end' and exists (select from ping o where o.schedule_id = p.schedule_id and o.kind = 'start' and o.sending and o.next_at > at))
       order by p.next_at limit take_pings.row_limit for update skip locked
    ), taken as (
      update ping p set sending = true, attempts = least(p.attempts + 1, 20), next_at = at + make_interval(secs => take_pings.lease_seconds)
        from due where p.schedule_id = due.schedule_id and p.kind = due.kind
      returning p.*
    )
    select t.id, t.schedule_id, t.kind, t.signal, t.attempts, s.name, s.ping_url, s.ping_secret, f.run_id, f.slot_at, f.late_ms, f.state, f.reason,
           left(coalesce(f.error ->> 'code', f.refusal), 100), f.overdue_at is not null
      from taken t join schedule s on s.id = t.schedule_id join firing f on f.id = t.firing_id
     order by t.schedule_id, t.kind desc;
end $$;
comment on function millrace.take_pings(int, int) is 'What is to be told to addresses outside now.';
