-- Cancels runs: the only place where a run becomes cancelled. Their tasks and their rows are locked by the caller.
create or replace function millrace.cancel_runs(run_ids uuid[], reason text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  update run r set state = 'cancelled', finished_at = greatest(at, r.started_at), paused_at = null, revision = revision + 1
   where r.id = any (run_ids);
  perform abort_tasks(run_ids, 'cancelled', at);
  perform settle_runs(run_ids, true, true, at);
  -- Of a run that was undone first it was told when that began.
  perform write_event(r.id, 'run.cancelled', jsonb_strip_nulls(jsonb_build_object('reason', cancel_runs.reason)))
     from run r where r.id = any (run_ids) and r.outcome is distinct from 'cancelled';
  perform cancel_children(run_ids, 'its parent was cancelled', at);
end $$;
comment on function millrace.cancel_runs(uuid[], text, timestamptz) is 'Cancels runs that are locked.';
