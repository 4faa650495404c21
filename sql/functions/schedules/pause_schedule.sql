-- Pauses a schedule: its slots pass, and are recorded as skipped once it is resumed. Runs under way end; what is queued waits. False where it was
-- paused already.
create or replace function millrace.pause_schedule(name text, reason text default null, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  known schedule := lock_schedule(pause_schedule.name, pause_schedule.expected_revision);
begin
  if length(pause_schedule.reason) > 1000 then
    perform refuse_argument('reason', 'a text of at most 1,000 characters', format('one of %s', length(pause_schedule.reason)));
  end if;
  if known.paused_at is not null then
    return false;
  end if;
  perform halt_schedule(known.id, actor(), pause_schedule.reason, millrace.now());
  return true;
end $$;
comment on function millrace.pause_schedule(text, text, int) is 'Pauses a schedule; false where it was paused already.';
