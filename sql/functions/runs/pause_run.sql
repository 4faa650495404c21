-- Pauses a run: steps that run end, nothing after them starts until it is resumed. True where it was live and not paused.
create or replace function millrace.pause_run(run_id uuid, reason text default null, if_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_run run;
begin
  perform lock_run_tasks(array[pause_run.run_id]);
  select r.* into found_run from run r where r.id = pause_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', pause_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  perform refuse_run_revision(found_run, pause_run.if_revision);
  if found_run.finished_at is not null or found_run.paused_at is not null then
    return false;
  end if;
  update run r set paused_at = at, revision = revision + 1 where r.id = pause_run.run_id;
  -- A redrive that it waited for has opened tasks that were not locked above. So what is ready is taken first, and what was claimed before that
  -- is marked after it; what came of one that left in between is looked for again.
  loop
    with parked as (
      delete from task t where t.run_id = pause_run.run_id and t.claimed_at is null returning t.*
    )
    insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
    select handler, priority, run_id, step_id, item, item_value, attempt, failures, 'paused', ready_at, true from parked;
    update task t set paused = true where t.run_id = pause_run.run_id and t.worker_id is not null and not t.paused;
    update waiting_task w set paused = true where w.run_id = pause_run.run_id and not w.paused;
    exit when not exists (select from task t where t.run_id = pause_run.run_id and not t.paused)
          and not exists (select from waiting_task w where w.run_id = pause_run.run_id and not w.paused);
  end loop;
  perform write_event(pause_run.run_id, 'run.paused', jsonb_strip_nulls(jsonb_build_object('reason', pause_run.reason)));
  perform write_audit('run.paused', 'run', pause_run.run_id::text);
  return true;
end $$;
comment on function millrace.pause_run(uuid, text, int) is 'Pauses a run; false where it had ended or was paused already.';
