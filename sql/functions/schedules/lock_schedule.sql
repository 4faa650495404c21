-- Locks a schedule by its name: whoever changes it, fires it, or judges what of it overlaps does so under this lock.
create or replace function millrace.lock_schedule(name text, expected_revision int default null) returns millrace.schedule
language plpgsql
as $$
#variable_conflict use_column
declare
  known schedule;
begin
  select s.* into known from schedule s where s.name = lock_schedule.name for update;
  if known.id is null or known.retired_at is not null then
    raise exception 'There is no schedule ''%''.', lock_schedule.name
      using errcode = 'MR100', hint = 'List the schedules with: npx millrace schedule list';
  end if;
  perform refuse_schedule_revision(lock_schedule.name, known, lock_schedule.expected_revision);
  return known;
end $$;
comment on function millrace.lock_schedule(text, int) is 'Locks a schedule by its name.';
