-- Pauses a schedule that is locked: the only place where one becomes paused.
create or replace function millrace.halt_schedule(schedule_id bigint, halted_by text, reason text, at timestamptz) returns void
language sql
as $$
  update millrace.schedule s
     set paused_at = date_trunc('milliseconds', at), paused_by = halted_by, pause_reason = left(reason, 1000), due_at = null, revision = s.revision + 1
   where s.id = halt_schedule.schedule_id
$$;
comment on function millrace.halt_schedule(bigint, text, text, timestamptz) is 'Pauses a schedule that is locked.';
