-- All secrets, without their values: where each lies, how old it is and may be, and who read it last.
create or replace function millrace.list_secrets()
returns table (name text, source text, reference text, version int, max_age_seconds bigint, changed_at timestamptz, is_overdue boolean,
               last_read_at timestamptz, last_read_run uuid, last_read_step text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select s.name, s.source, s.reference, s.version, s.max_age_seconds, s.changed_at,
           coalesce(s.changed_at + make_interval(secs => s.max_age_seconds) < at, false), last.read_at, last.run_id, last.step
      from secret s
      left join lateral (select d.read_at, d.run_id, d.step from secret_read d where d.name = s.name order by d.read_at desc limit 1) last on true
     order by s.name;
end $$;
comment on function millrace.list_secrets() is 'All secrets, without their values.';
