-- An executor outside says that a run has ended. Steps that are all final end it by themselves, so this only confirms it; a run with open
-- steps can be failed with a reason, never called complete. Answers with the state, read once all that is under way on the run has ended.
create or replace function millrace.complete_run(run_id uuid, error jsonb default null) returns text
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_state text;
  open_steps text;
begin
  if complete_run.run_id is null then
    perform refuse_argument('run_id', 'the id of a run', null);
  end if;
  perform lock_run_tasks(array[complete_run.run_id]);
  select r.state into found_state from run r where r.id = complete_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', complete_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  if found_state in ('completed', 'failed', 'cancelled') then
    return found_state;
  end if;
  if complete_run.error is not null then
    perform fail_runs(array[complete_run.run_id], array[null::text], array[null::int], 
      array[outside_error(complete_run.run_id, complete_run.error)], millrace.now());
    return (select r.state from run r where r.id = complete_run.run_id);
  end if;
  select string_agg(format('''%s''', d.step), ', ' order by d.position) into open_steps
    from run r join step_definition d on d.slug = r.slug and d.version = r.version and d.kind not in ('end', 'undo', 'finally')
   where r.id = complete_run.run_id
     and (not exists (select from attempt a where a.run_id = r.id and a.step = d.step and is_last_attempt(a.outcome, a.item, a.retry_at))
       or exists (select from task t where t.run_id = r.id and t.step_id = d.id)
       or exists (select from waiting_task w where w.run_id = r.id and w.step_id = d.id));
  raise exception 'Run % can''t be completed: % not finished.', complete_run.run_id, open_steps
    using errcode = 'MR011', hint = 'Complete or fail these steps, or fail the run with an error.';
end $$;
comment on function millrace.complete_run(uuid, jsonb) is 'An executor outside says that a run has ended; answers with the state.';
