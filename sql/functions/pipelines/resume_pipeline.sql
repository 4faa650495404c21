-- Resumes a paused pipeline and wakes the workers, whose claims look at its tasks again; none of them was called meanwhile from where it waits for a limit. Its failures in a row are counted anew.
create or replace function millrace.resume_pipeline(slug text, if_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_pipeline pipeline;
  changed boolean;
begin
  -- Before the pipeline, as by who counts.
  perform 1 from failure_streak s where s.slug = resume_pipeline.slug and s.key is null for update;
  select p.* into found_pipeline from pipeline p where p.slug = resume_pipeline.slug for no key update;
  if not found then
    raise exception 'There is no pipeline ''%''.', resume_pipeline.slug
      using errcode = 'MR002', hint = 'List the pipelines with: npx millrace pipeline list';
  end if;
  perform refuse_pipeline_revision(found_pipeline, resume_pipeline.if_revision);
  update pipeline p set paused_at = null, paused_by = null, pause_reason = null, revision = revision + 1
   where p.slug = resume_pipeline.slug and p.paused_at is not null
  returning true into changed;
  if changed then
    delete from failure_streak s where s.slug = resume_pipeline.slug and s.key is null;
    perform call_served_waiters(array(select h.id from handler h where h.slug = resume_pipeline.slug), millrace.now());
  end if;
  perform wake_workers(true);
  return coalesce(changed, false);
end $$;
comment on function millrace.resume_pipeline(text, int) is 'Resumes a paused pipeline; false where it was not paused.';
