-- Fires a schedule now, beside its slots, also while it is paused. The overlap is the schedule's, or the one that is given; an input stands in
-- for the schedule's own. Answers what became of it.
create or replace function millrace.trigger_schedule(name text, input jsonb default null, overlap text default null)
returns table (firing_id bigint, state text, reason text, refusal text, run_id uuid, blocked_by uuid, error jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  -- Slots are whole milliseconds, so that this is none.
  moment timestamptz := date_trunc('milliseconds', at) + interval '1 microsecond';
  known schedule;
  fired bigint;
begin
  if trigger_schedule.overlap not in ('skip', 'queue_one', 'queue_all', 'cancel_other', 'allow') then
    perform refuse_argument('overlap', 'skip, queue_one, queue_all, cancel_other or allow', quote_literal(trigger_schedule.overlap));
  end if;
  known := lock_schedule(trigger_schedule.name);
  while exists (select from firing f where f.schedule_id = known.id and f.slot_at = moment) loop
    moment := moment + interval '1 microsecond';
  end loop;
  insert into firing (schedule_id, slot_at, kind, overlap, state, input, due_at, fired_at, fired_by, expect, verify_within_ms, deadline_at)
  values (known.id, moment, 'triggered', coalesce(trigger_schedule.overlap, known.overlap), 'queued', trigger_schedule.input, at, at, actor(),
          known.expect, known.verify_within_ms, at + make_interval(secs => known.deadline_ms / 1000.0))
  returning id into fired;
  perform write_audit('schedule.triggered', 'schedule', known.name, jsonb_build_object('firing', fired, 'overlap', trigger_schedule.overlap, 'input_given', nullif(trigger_schedule.input is not null, false)));
  if not admit_in_time(known.id, at) then
    perform admit_firings(array[known.id], at);
  end if;
  return query select f.id, f.state, f.reason, f.refusal, f.run_id, f.blocked_by, f.error from firing f where f.id = fired;
end $$;
comment on function millrace.trigger_schedule(text, jsonb, text) is 'Fires a schedule now, beside its slots; answers what became of it.';
