-- Resumes a paused run: what was parked is claimed again, at its time. True where it was paused.
create or replace function millrace.resume_run(run_id uuid, if_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_run run;
begin
  perform lock_run_tasks(array[resume_run.run_id]);
  select r.* into found_run from run r where r.id = resume_run.run_id for update;
  if not found then
    raise exception 'There is no run %.', resume_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  perform refuse_run_revision(found_run, resume_run.if_revision);
  if found_run.paused_at is null then
    return false;
  end if;
  update run r set paused_at = null, revision = revision + 1 where r.id = resume_run.run_id;
  update task t set paused = false where t.run_id = resume_run.run_id and t.paused;
  -- What waited for a limit is judged once more. The time that a rate gave it is another one's by now, or comes later.
  update waiting_task w
     set paused = false, available_at = case when w.reason = 'limit' then millrace.now() else w.available_at end, holds = case when w.reason <> 'limit' then w.holds end
   where w.run_id = resume_run.run_id;
  perform promote_tasks(1000);
  perform write_event(resume_run.run_id, 'run.resumed', '{}');
  perform write_audit('run.resumed', 'run', resume_run.run_id::text);
  return true;
end $$;
comment on function millrace.resume_run(uuid, int) is 'Resumes a paused run; false where it was not paused.';
