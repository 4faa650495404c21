-- A change by a person who says which revision of the run it was decided on: where somebody has changed the run since, it is refused, with the
-- state that the run has now. The run's row is locked by the caller.
create or replace function millrace.refuse_run_revision(found_run millrace.run, if_revision int) returns void
language plpgsql stable
as $$
begin
  if (found_run).revision <> if_revision then
    raise exception 'Run % was changed since: you saw its revision %, and it is at %.', (found_run).id, if_revision, (found_run).revision
      using errcode = 'MR030', hint = 'Look at it again, and decide anew.',
            detail = jsonb_build_object('runId', (found_run).id, 'seen', if_revision, 'revision', (found_run).revision, 'state', (found_run).state,
                       'priority', (found_run).priority, 'pausedAt', (found_run).paused_at)::text;
  end if;
end $$;
comment on function millrace.refuse_run_revision(millrace.run, int) is 'Refuses a change that was decided on an older revision of a run.';
