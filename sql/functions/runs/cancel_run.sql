-- Cancels a run: ready and waiting steps never start, running ones are aborted, and no later success counts. True where it was live.
create or replace function millrace.cancel_run(run_id uuid, reason text default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_state text;
begin
  perform lock_run_tasks(array[cancel_run.run_id]);
  select r.state into found_state from run r where r.id = cancel_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', cancel_run.run_id using errcode = 'MR006', hint = 'List the runs with: millrace run list';
  end if;
  if found_state in ('completed', 'failed', 'cancelled') then
    return false;
  end if;
  update run r set state = 'cancelled', finished_at = greatest(at, r.started_at), paused_at = null, revision = revision + 1 where r.id = cancel_run.run_id;
  perform abort_tasks(array[cancel_run.run_id], 'cancelled', at);
  perform settle_runs(array[cancel_run.run_id], true);
  perform write_event(cancel_run.run_id, 'run.cancelled', jsonb_strip_nulls(jsonb_build_object('reason', cancel_run.reason)));
  return true;
end $$;
comment on function millrace.cancel_run(uuid, text) is 'Cancels a run; false where it had ended already.';
