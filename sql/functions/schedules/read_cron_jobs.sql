-- What the extension pg_cron has in this database, as far as the caller may read it: its cron jobs, their last runs, and the answers that pg_net keeps of
-- the requests that they sent; of each one run_limit runs, 100 at most. Written as text, because most databases have none of these tables. It reads with the caller's own rights.
create or replace function millrace.read_cron_jobs(run_limit int default 10) returns jsonb
language plpgsql stable
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  cron text := to_regnamespace('cron')::text;
  net text := to_regnamespace('net')::text;
  book jsonb;
  answers jsonb;
begin
  if cron is null then
    raise exception 'There is no pg_cron in database ''%''.', current_database()
      using errcode = 'MR108', hint = 'Connect to the database that cron.database_name of the server names: pg_cron lives in one database alone.';
  end if;
  if not has_schema_privilege('cron', 'usage') or to_regclass('cron.job') is null or not has_table_privilege('cron.job', 'select') then
    raise exception 'This role, %, may not read the cron jobs of pg_cron.', current_user
      using errcode = 'MR108', hint = format('As a superuser: grant usage on schema cron to %I; grant select on cron.job, cron.job_run_details to %1$I;', current_user);
  end if;
  execute format($text$
    select jsonb_build_object(
      'entries', coalesce((select jsonb_agg(to_jsonb(e) order by e.jobid) from (
        select c.jobid, c.jobname, c.schedule, c.command, c.database, c.username, c.active,
               c.command ~* 'net\.http_[a-z]+\s*\(' or exists (
                 select from pg_proc p
                  where p.prosrc ~* 'net\.http_[a-z]+\s*\(' and p.prokind in ('f', 'p') and c.command ~* ('\m' || regexp_replace(p.proname, '\W', '.', 'g') || '\s*\(')
                    and p.pronamespace <> coalesce(to_regnamespace('net'), 0::oid)) as sends
          from %s.job c order by c.jobid limit 500) e), '[]'),
      'timezone', coalesce(nullif(current_setting('cron.timezone', true), ''), 'GMT'), 'database', current_database())
  $text$, cron) into book;
  if to_regclass('cron.job_run_details') is not null and has_table_privilege('cron.job_run_details', 'select') then
    execute format($text$
      select jsonb_agg(jsonb_build_object('jobid', r.jobid, 'status', r.status, 'message', left(r.return_message, 500), 'started_at', r.start_time, 'ended_at', r.end_time)
                       order by r.start_time, r.runid)
        from (select d.*, row_number() over (partition by d.jobid order by d.runid desc) as place
                from %s.job_run_details d where d.start_time is not null) r
       where r.place <= $1
    $text$, cron) into answers using least(greatest(read_cron_jobs.run_limit, 1), 100);
    book := book || jsonb_build_object('runs', coalesce(answers, '[]'));
  end if;
  if net is not null and has_schema_privilege('net', 'usage') and to_regclass('net._http_response') is not null
     and has_table_privilege('net._http_response', 'select') then
    execute format($text$
      select jsonb_agg(jsonb_build_object('id', r.id, 'status', r.status_code, 'timed_out', coalesce(r.timed_out, false), 'error', left(r.error_msg, 300), 'at', r.created)
                       order by r.id)
        from (select * from %s._http_response order by created desc limit 10000) r
    $text$, net) into answers;
    book := book || jsonb_build_object('answers', coalesce(answers, '[]'));
  end if;
  return book || jsonb_build_object('at', at, 'kept_ms', extract(epoch from coalesce(nullif(current_setting('pg_net.ttl', true), ''), '6 hours')::interval) * 1000);
end $$;
comment on function millrace.read_cron_jobs(int) is 'What the extension pg_cron has in this database: its cron jobs, their last runs, and the answers that pg_net keeps.';
