-- Removes a schedule: nothing fires any more, and what is queued never begins. Its firings stay, and so does its name. False where there was none.
create or replace function millrace.remove_schedule(name text, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known schedule;
begin
  select s.* into known from schedule s where s.name = remove_schedule.name for update;
  perform refuse_schedule_revision(remove_schedule.name, known, remove_schedule.expected_revision);
  if known.id is null or known.retired_at is not null then
    return false;
  end if;
  update schedule s
     set retired_at = at, due_at = null, next_slot_at = null, former = null, passed_from = null, passed_until = null, paused_at = null, paused_by = null,
         pause_reason = null, failures = 0, revision = s.revision + 1, changed_at = at, changed_by = actor()
   where s.id = known.id;
  update firing f set state = 'skipped', reason = 'retired', closed_at = at where f.schedule_id = known.id and f.state = 'queued';
  return true;
end $$;
comment on function millrace.remove_schedule(text, int) is 'Removes a schedule; false where there was none.';
