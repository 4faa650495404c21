-- Resumes a paused pipeline and wakes the workers, whose claims look at its tasks again.
create or replace function millrace.resume_pipeline(slug text) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  changed boolean;
begin
  perform 1 from pipeline p where p.slug = resume_pipeline.slug;
  if not found then
    raise exception 'There is no pipeline ''%''.', resume_pipeline.slug
      using errcode = 'MR002', hint = 'List the pipelines with: millrace pipeline list';
  end if;
  update pipeline p set paused_at = null, paused_by = null, pause_reason = null, revision = revision + 1
   where p.slug = resume_pipeline.slug and p.paused_at is not null
  returning true into changed;
  perform wake_workers(true);
  return coalesce(changed, false);
end $$;
comment on function millrace.resume_pipeline(text) is 'Resumes a paused pipeline; false where it was not paused.';
