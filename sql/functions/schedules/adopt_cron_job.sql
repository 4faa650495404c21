-- Takes over a cron job of pg_cron: defines a schedule of the cadence that the caller read off it, and deactivates that one, or neither. It must still be as it
-- was read. It acts with the caller's own rights on pg_cron. Answers the schedule's revision.
create or replace function millrace.adopt_cron_job(cron_job_id bigint, seen_schedule text, name text, slug text, settings jsonb, disable boolean)
returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  cron text := to_regnamespace('cron')::text;
  known text;
  revision int;
begin
  -- It says where there is none, or which right is missing.
  perform millrace.read_cron_jobs(1);
  if exists (select from millrace.schedule s where s.name = adopt_cron_job.name and s.retired_at is null) then
    raise exception 'There is a schedule ''%'' already.', adopt_cron_job.name
      using errcode = 'MR109', hint = 'Choose another name, or remove that schedule first.';
  end if;
  execute format('select schedule from %s.job where jobid = $1', cron) into known using adopt_cron_job.cron_job_id;
  if known is distinct from adopt_cron_job.seen_schedule then
    raise exception 'Cron job % %', adopt_cron_job.cron_job_id, case when known is null then 'is not there, or not yours.' else 'was changed meanwhile.' end
      using errcode = 'MR109', hint = 'List them again with: npx millrace schedule adopt';
  end if;
  revision := millrace.define_schedule(adopt_cron_job.name, adopt_cron_job.slug, adopt_cron_job.settings);
  if adopt_cron_job.disable then
    execute format('select %s.alter_job($1, active := false)', cron) using adopt_cron_job.cron_job_id;
  end if;
  return revision;
end $$;
comment on function millrace.adopt_cron_job(bigint, text, text, text, jsonb, boolean) is 'Takes over a cron job of pg_cron: defines a schedule, and deactivates it.';
