-- Has schedules that the caller has locked evaluated in a second, whatever slots they have: each evaluation tries what is queued. Those that are not
-- evaluated, since they are paused, faulty or removed, are left out. Answers how many there are of the others.
create or replace function millrace.evaluate_soon(schedule_ids bigint[], at timestamptz) returns int
language sql
as $$
  with soon as (
    update millrace.schedule s set due_at = least(s.due_at, at + interval '1 second')
     where s.id = any (schedule_ids) and s.paused_at is null and s.fault is null and s.retired_at is null
    returning s.id
  )
  select count(*)::int from soon
$$;
comment on function millrace.evaluate_soon(bigint[], timestamptz) is 'Has schedules that are locked evaluated in a second; answers how many of them are evaluated at all.';
