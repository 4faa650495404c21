-- What decides when a schedule is due, as the record of its former times keeps it.
create or replace function millrace.schedule_times(of_schedule millrace.schedule) returns jsonb
language sql immutable
as $$
  select jsonb_strip_nulls(jsonb_build_object('cron', (of_schedule).cron, 'timezone', (of_schedule).timezone, 'every_ms', (of_schedule).every_ms,
    'every_from', (of_schedule).every_from, 'starts_at', (of_schedule).starts_at, 'ends_at', (of_schedule).ends_at))
$$;
comment on function millrace.schedule_times(millrace.schedule) is 'What decides when a schedule is due.';
