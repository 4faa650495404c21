-- Resumes a paused schedule. The slots that passed are recorded by the next evaluation, which is due at once; failures are counted anew, and what is
-- queued may begin. False where it was not paused.
create or replace function millrace.resume_schedule(name text, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known schedule := lock_schedule(resume_schedule.name, resume_schedule.expected_revision);
begin
  if known.paused_at is null then
    return false;
  end if;
  update schedule s
     set paused_at = null, paused_by = null, pause_reason = null, failures = 0, revision = s.revision + 1,
         passed_from = least(s.passed_from, s.paused_at), passed_until = date_trunc('milliseconds', at),
         due_at = case when s.fault is null then date_trunc('milliseconds', at) end
   where s.id = known.id;
  if not admit_in_time(known.id, at) then
    perform admit_firings(array[known.id], at);
  end if;
  return true;
end $$;
comment on function millrace.resume_schedule(text, int) is 'Resumes a paused schedule; false where it was not paused.';
