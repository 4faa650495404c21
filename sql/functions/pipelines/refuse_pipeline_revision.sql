-- A change by a person who says which revision of the pipeline it was decided on: where somebody has changed the pipeline since, it is refused,
-- with the state that the pipeline has now. The pipeline's row is locked by the caller.
create or replace function millrace.refuse_pipeline_revision(found_pipeline millrace.pipeline, if_revision int) returns void
language plpgsql stable
as $$
begin
  if (found_pipeline).revision <> if_revision then
    raise exception 'Pipeline ''%'' was changed since: you saw its revision %, and it is at %.', (found_pipeline).slug, if_revision, (found_pipeline).revision
      using errcode = 'MR030', hint = 'Look at it again, and decide anew.',
            detail = jsonb_build_object('pipeline', (found_pipeline).slug, 'seen', if_revision, 'revision', (found_pipeline).revision,
                       'activeVersion', (found_pipeline).active_version, 'pausedAt', (found_pipeline).paused_at, 'pausedBy', (found_pipeline).paused_by,
                       'pauseReason', (found_pipeline).pause_reason)::text;
  end if;
end $$;
comment on function millrace.refuse_pipeline_revision(millrace.pipeline, int) is 'Refuses a change that was decided on an older revision of a pipeline.';
