-- Cancels a run: ready, waiting and parked steps never start, running ones are aborted, and no later success counts. What it called is
-- cancelled too. With undo, what it completed is undone first, and the run is live until that has ended; without it, a run that is being
-- undone ends as it stands. True where it changed something.
create or replace function millrace.cancel_run(run_id uuid, reason text default null, undo boolean default false, if_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_run run;
begin
  perform lock_run_tasks(array[cancel_run.run_id]);
  select r.* into found_run from run r where r.id = cancel_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', cancel_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  perform refuse_run_revision(found_run, cancel_run.if_revision);
  if found_run.finished_at is not null then
    return false;
  end if;
  if cancel_run.undo and exists (
       select from step_definition d where d.slug = found_run.slug and d.version = found_run.version and d.kind = 'undo') then
    if found_run.outcome in ('failed', 'cancelled') then
      return false;
    end if;
    update run r set outcome = 'cancelled', revision = revision + 1 where r.id = cancel_run.run_id;
    perform write_event(cancel_run.run_id, 'run.cancelled', jsonb_strip_nulls(jsonb_build_object('reason', cancel_run.reason, 'undo', true)));
    perform write_audit('run.cancelled', 'run', cancel_run.run_id::text, jsonb_build_object('undo', true));
    perform begin_outcomes(array[cancel_run.run_id], 'cancelled', 'its parent was cancelled', at);
    return true;
  end if;
  if found_run.outcome = 'cancelled' then
    perform write_event(cancel_run.run_id, 'run.undo_stopped', jsonb_strip_nulls(jsonb_build_object('reason', cancel_run.reason)));
  end if;
  perform cancel_runs(array[cancel_run.run_id], cancel_run.reason, at);
  perform write_audit('run.cancelled', 'run', cancel_run.run_id::text);
  return true;
end $$;
comment on function millrace.cancel_run(uuid, text, boolean, int) is 'Cancels a run, and undoes it first where that is asked; false where nothing changed.';
