-- Pauses a pipeline: starts are refused with the reason, and no task of it is claimed until it is resumed. Steps that run end.
create or replace function millrace.pause_pipeline(slug text, reason text default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  changed boolean;
begin
  perform 1 from pipeline p where p.slug = pause_pipeline.slug;
  if not found then
    raise exception 'There is no pipeline ''%''.', pause_pipeline.slug
      using errcode = 'MR002', hint = 'List the pipelines with: millrace pipeline list';
  end if;
  update pipeline p set paused_at = millrace.now(), paused_by = session_user, pause_reason = pause_pipeline.reason, revision = revision + 1
   where p.slug = pause_pipeline.slug and p.paused_at is null
  returning true into changed;
  return coalesce(changed, false);
end $$;
comment on function millrace.pause_pipeline(text, text) is 'Pauses a pipeline; false where it was paused already.';
