-- Resumes a paused run: what was parked is claimed again, at its time. True where it was paused.
create or replace function millrace.resume_run(run_id uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  was_paused boolean;
begin
  perform lock_run_tasks(array[resume_run.run_id]);
  select r.paused_at is not null into was_paused from run r where r.id = resume_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', resume_run.run_id using errcode = 'MR006', hint = 'List the runs with: millrace run list';
  end if;
  if not was_paused then
    return false;
  end if;
  update run r set paused_at = null, revision = revision + 1 where r.id = resume_run.run_id;
  update task t set paused = false where t.run_id = resume_run.run_id and t.paused;
  update waiting_task w set paused = false where w.run_id = resume_run.run_id;
  perform promote_tasks(1000);
  perform write_event(resume_run.run_id, 'run.resumed', '{}');
  return true;
end $$;
comment on function millrace.resume_run(uuid) is 'Resumes a paused run; false where it was not paused.';
