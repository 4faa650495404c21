-- Pauses a pipeline: starts are refused with the reason, and no task of it is claimed until it is resumed. Steps that run end.
create or replace function millrace.pause_pipeline(slug text, reason text default null, if_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_pipeline pipeline;
  changed boolean;
begin
  -- Starts in somebody's open transaction refer to the row, and hold nobody up who pauses it.
  select p.* into found_pipeline from pipeline p where p.slug = pause_pipeline.slug for no key update;
  if not found then
    raise exception 'There is no pipeline ''%''.', pause_pipeline.slug
      using errcode = 'MR002', hint = 'List the pipelines with: npx millrace pipeline list';
  end if;
  perform refuse_pipeline_revision(found_pipeline, pause_pipeline.if_revision);
  update pipeline p set paused_at = millrace.now(), paused_by = actor(), pause_reason = pause_pipeline.reason, revision = revision + 1
   where p.slug = pause_pipeline.slug and p.paused_at is null
  returning true into changed;
  return coalesce(changed, false);
end $$;
comment on function millrace.pause_pipeline(text, text, int) is 'Pauses a pipeline; false where it was paused already.';
