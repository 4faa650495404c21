-- Trigger: a run names a version that is there. Not asked of what start_runs begins, which has looked it up and says so; and nothing is locked, since
-- versions stay (see keep_versions).
create or replace function millrace.check_run_version() returns trigger
language plpgsql
as $$
begin
  if not exists (select from millrace.pipeline_version v where v.slug = new.slug and v.version = new.version) then
    raise exception 'A run names version % of pipeline ''%'', which does not exist.', new.version, new.slug
      using errcode = 'foreign_key_violation', hint = 'Start runs by start_run or start_runs.';
  end if;
  return null;
end $$;
comment on function millrace.check_run_version() is 'Trigger: a run names a version of a pipeline that is there.';
