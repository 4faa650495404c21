-- Ends a run whose last step continues it as another, and starts that one, in one transaction: there is no moment in which the run key is
-- free, or two runs have it. The new run is of the same version, with the same tenant, headers and priority, and in the place of the old one
-- for whoever called it; what was paused goes on paused. Fenced as complete_tasks is.
create or replace function millrace.continue_run(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, next_run_id uuid, input jsonb) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  ended run;
  refusal text;
begin
  if not enter_worker(continue_run.worker_id, continue_run.lock_key) then
    return false;
  end if;
  perform 1 from task t
    where t.id = continue_run.task_id and t.step_id = continue_run.step_id and t.attempt = continue_run.attempt
      and t.worker_id = continue_run.worker_id and t.aborted_at is null for update;
  if not found then
    return false;
  end if;
  select r.* into ended from run r join task t on t.run_id = r.id where t.id = continue_run.task_id;
  if ended.parent_run_id is not null then
    -- Who called it waits for the one that goes on, and knows of no other.
    update run r set parent_run_id = null, parent_step = null, parent_item = null, parent_call = null, parent_place = null, detached = null
     where r.id = ended.id;
    update wait w set child_run = continue_run.next_run_id where w.run_id = ended.parent_run_id and w.child_run = ended.id;
  end if;
  if exists (select from firing f where f.run_id = ended.id) then
    perform pass_firings(array[ended.id], array[continue_run.next_run_id]);
  end if;
  perform complete_tasks(continue_run.worker_id, continue_run.lock_key, array[continue_run.task_id], array[continue_run.step_id],
                         array[continue_run.attempt], array[jsonb_build_object('continuedAs', continue_run.next_run_id)]);
  if not exists (select from run r where r.id = ended.id and r.state = 'completed') then
    raise exception 'Run % can''t be continued here: it has not ended with this step.', ended.id
      using errcode = 'MR022', hint = 'Continue a run in its one last step.';
  end if;
  select s.reason into refusal
    from start_runs(array[continue_run.next_run_id], array[ended.slug], array[ended.version], array[continue_run.input], array[ended.priority],
                    array[ended.tenant], array[ended.headers], started_via => 'continued', wake_always => false,
                    parents => case when ended.parent_run_id is not null then array[
                      row(ended.parent_run_id, ended.parent_step, ended.parent_item, ended.parent_call, ended.parent_place, ended.detached)::run_parent] end) s;
  if refusal is not null then
    raise exception 'Run % can''t be continued: the start of ''%'' was refused (%).', ended.id, ended.slug, refusal
      using errcode = 'MR016', hint = 'The step is tried again under its retry policy.';
  end if;
  if ended.paused_at is not null then
    perform pause_run(continue_run.next_run_id, 'the run that it continues was paused');
  end if;
  if exists (select from callback) then
    perform hand_on_callbacks(ended.id, continue_run.next_run_id, true);
  end if;
  if exists (select from event_start) then
    perform hand_on_event_starts(ended.id, continue_run.next_run_id);
  end if;
  insert into change_run (run_id, watch_id, tenant, key, depth, origin_run, ordered_key)
  select continue_run.next_run_id, c.watch_id, c.tenant, c.key, c.depth, c.origin_run, c.ordered_key from change_run c where c.run_id = ended.id;
  perform write_event(ended.id, 'run.continued', jsonb_build_object('as', continue_run.next_run_id));
  return true;
end $$;
comment on function millrace.continue_run(uuid, int, bigint, int, int, uuid, jsonb) is 'Ends a run and starts the one that goes on in its place.';
