-- Chooses the version that starts from SQL, schedules and HTTP get: all of them, so that a split among several ends.
create or replace function millrace.activate_pipeline(slug text, version int, if_revision int default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_pipeline pipeline;
begin
  if not exists (select from pipeline_version v where v.slug = activate_pipeline.slug and v.version = activate_pipeline.version) then
    raise exception 'There is no version % of a pipeline ''%''.', activate_pipeline.version, activate_pipeline.slug
      using errcode = 'MR002', hint = 'List the versions with: npx millrace pipeline show NAME';
  end if;
  select p.* into found_pipeline from pipeline p where p.slug = activate_pipeline.slug for update;
  perform refuse_pipeline_revision(found_pipeline, activate_pipeline.if_revision);
  update pipeline p set active_version = activate_pipeline.version, split_path = null, split_at = null, revision = revision + 1
   where p.slug = activate_pipeline.slug;
  delete from pipeline_bucket b where b.slug = activate_pipeline.slug;
  delete from pipeline_share s where s.slug = activate_pipeline.slug;
end $$;
comment on function millrace.activate_pipeline(text, int, int) is 'Chooses the version that starts without a version of their own get.';
