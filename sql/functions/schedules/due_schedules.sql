-- Schedules that are due, and the time that they are judged at: what an evaluation reads. What somebody has at hand takes no place among them, so that a
-- transaction that changes hundreds and stays open keeps none of the others from firing. The locks end with this statement: an evaluation holds only
-- where nobody came first.
create or replace function millrace.due_schedules(most int)
returns table (id bigint, revision int, cron text, timezone text, every_ms float8, every_from timestamptz, starts_at timestamptz, ends_at timestamptz,
               offset_ms int, catch_up text, catch_up_max int, catch_up_window_ms float8, stagger_ms int, passed_from timestamptz,
               passed_until timestamptz, former jsonb, evaluated_at timestamptz, at timestamptz)
language sql security definer set search_path = millrace, pg_temp
as $$
  select s.id, s.revision, s.cron, s.timezone, s.every_ms::float8, s.every_from, s.starts_at, s.ends_at, s.offset_ms, s.catch_up, s.catch_up_max,
         s.catch_up_window_ms::float8, s.stagger_ms, s.passed_from, s.passed_until, s.former, s.evaluated_at, c.at
    from (select millrace.now() as at) c join millrace.schedule s on s.due_at <= c.at
   order by s.due_at limit most for update of s skip locked
$$;
comment on function millrace.due_schedules(int) is 'Schedules that are due, and the time that they are judged at.';
