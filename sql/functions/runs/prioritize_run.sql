-- Gives a live run another priority: what of it is ready is claimed by that one, and so is all that comes after. True where it had another.
create or replace function millrace.prioritize_run(run_id uuid, priority int, if_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_run run;
begin
  if (prioritize_run.priority between 1 and 9) is not true then
    perform refuse_argument('priority', 'from 1, first, to 9, last', prioritize_run.priority::text);
  end if;
  perform lock_run_tasks(array[prioritize_run.run_id]);
  select r.* into found_run from run r where r.id = prioritize_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', prioritize_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  perform refuse_run_revision(found_run, prioritize_run.if_revision);
  if found_run.finished_at is not null or found_run.priority = prioritize_run.priority then
    return false;
  end if;
  update run r set priority = prioritize_run.priority, revision = revision + 1 where r.id = prioritize_run.run_id;
  update task t set priority = prioritize_run.priority where t.run_id = prioritize_run.run_id;
  update waiting_task w set priority = prioritize_run.priority where w.run_id = prioritize_run.run_id;
  perform write_event(prioritize_run.run_id, 'run.prioritized', jsonb_build_object('from', found_run.priority, 'to', prioritize_run.priority));
  perform write_audit('run.prioritized', 'run', prioritize_run.run_id::text, '{}', jsonb_build_object('priority', found_run.priority), jsonb_build_object('priority', prioritize_run.priority));
  perform wake_workers(false);
  return true;
end $$;
comment on function millrace.prioritize_run(uuid, int, int) is 'Gives a live run another priority; false where it has ended or has it already.';
