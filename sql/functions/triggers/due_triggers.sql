-- What is due, or will be within a second, of what starts runs by itself: a row for each kind, with the milliseconds until then, 0 for now.
-- Heartbeats ask it twice a second, so each kind is one look at the front of an index.
create or replace function millrace.due_triggers(at timestamptz)
returns table (kind text, due_ms int)
language sql stable
as $$
  select null::text, null::int where false
  union all
  (select 'callback', greatest(0, ceil(extract(epoch from c.due_at - due_triggers.at) * 1000))::int
     from millrace.callback_delivery c where c.due_at <= due_triggers.at + interval '1 second' order by c.due_at limit 1)
  union all
  (select 'event', greatest(0, ceil(extract(epoch from e.due_at - due_triggers.at) * 1000))::int
     from millrace.emitted_event e where e.due_at <= due_triggers.at + interval '1 second' order by e.due_at limit 1)
  union all
  (select 'schedule', greatest(0, ceil(extract(epoch from s.due_at - at) * 1000))::int
     from millrace.schedule s where s.due_at <= at + interval '1 second' order by s.due_at limit 1)
  union all
  (select 'firing_end', 0 from millrace.firing f where f.unsettled limit 1)
  union all
  (select 'firing_deadline', greatest(0, ceil(extract(epoch from f.deadline_at - at) * 1000))::int
     from millrace.firing f where f.deadline_at <= at + interval '1 second' and f.overdue_at is null and f.closed_at is null order by f.deadline_at limit 1)
  union all
  (select 'verification', greatest(0, ceil(extract(epoch from f.verify_at - at) * 1000))::int
     from millrace.firing f where f.verify_at <= at + interval '1 second' order by f.verify_at limit 1)
  union all
  (select 'ping', greatest(0, ceil(extract(epoch from p.next_at - at) * 1000))::int
     from millrace.ping p where p.next_at <= at + interval '1 second' order by p.next_at limit 1)
  union all
  select * from millrace.due_changes(at)
$$;
comment on function millrace.due_triggers(timestamptz) is 'What is due of what starts runs by itself, by kind, with the milliseconds until then.';
