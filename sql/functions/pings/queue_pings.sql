-- Notes what the addresses that schedules ping are to be told of these firings, as their states say: started is a start; verified, and completed where
-- nothing is expected, a success; failed, unverified, refused and overdue a fail. Of what was missed, or skipped for an overlap or a pause, nothing is told.
-- The latest takes the place of what was not sent yet, so what an outage leaves behind is one start and one end.
create or replace function millrace.queue_pings(firing_ids bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  if not exists (select from millrace.schedule s where s.ping_url is not null or s.ping_secret is not null) then
    return;
  end if;
  with told as (
    select distinct on (f.schedule_id, k.kind) f.schedule_id, k.kind, f.id as firing_id, k.signal
      from unnest(queue_pings.firing_ids) g(firing_id)
      join millrace.firing f on f.id = any (array[g.firing_id])
      join millrace.schedule s on s.id = f.schedule_id and (s.ping_url is not null or s.ping_secret is not null)
     cross join lateral (
       -- One that was overdue before it began has told that, and begins now.
       select f.closed_at is null and (f.overdue_at is null or (f.overdue_at < f.started_at and f.started_at = queue_pings.at)) as is_start) b
     cross join lateral (
       select case when b.is_start then 'start' else 'end' end as kind,
              case when f.state in ('verified', 'completed') and f.closed_at is not null then 'success'
                   when b.is_start then 'start'
                   when f.state = 'missed' or (f.state = 'skipped' and f.reason <> 'refused') then null
                   else 'fail' end as signal) k
     where k.signal is not null and (k.kind = 'end' or f.state = 'started')
     order by f.schedule_id, k.kind, f.id desc
  ), passed as (
    -- A start that never got through says nothing any more beside the end, and would come after it.
    delete from millrace.ping p using told t
     where p.schedule_id = t.schedule_id and t.kind = 'end' and p.kind = 'start' and not p.sending and p.attempts > 0
  )
  insert into millrace.ping as p (schedule_id, kind, firing_id, signal, requested_at, next_at)
  select t.schedule_id, t.kind, t.firing_id, t.signal, queue_pings.at, queue_pings.at
    from told t order by t.schedule_id, t.kind desc
      on conflict (schedule_id, kind) do update
     set id = default, firing_id = excluded.firing_id, signal = excluded.signal, requested_at = excluded.requested_at, attempts = 0, error = null,
         next_at = case when p.sending then p.next_at else excluded.next_at end;
end $$;
comment on function millrace.queue_pings(bigint[], timestamptz) is 'Notes what the addresses that schedules ping are to be told of these firings.';
