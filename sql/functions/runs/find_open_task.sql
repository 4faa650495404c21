-- Of what is open of a run, or of one step or item of it, the task to tell first, with the reason why it is not final yet: first what
-- waits for a person, then what is under way, then what goes on by itself, the soonest first. It says how many there are in all.
create or replace function millrace.find_open_task(told_run uuid, told_step int, told_item int, at timestamptz)
returns table (reason text, step_id int, step text, item int, task_id bigint, handler int, priority smallint, attempt int, failures int, max_attempts int,
               since timestamptz, due_at timestamptz, worker_id uuid, total bigint)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  served int[] := millrace.served_handlers(find_open_task.at);
begin
  return query
    with open as (
      select t.id, t.step_id, t.item, t.handler, t.priority, t.attempt, t.failures, coalesce(t.claimed_at, t.ready_at) as since,
             null::timestamptz as due_at, t.worker_id,
             case when t.aborted_at is not null then 'aborting'
                  when t.worker_id is not null then 'running'
                  when t.handler = any (served) then 'queued'
                  else 'needs_version' end as reason
        from millrace.task t
       where t.run_id = told_run and (told_step is null or t.step_id = told_step) and (told_item is null or t.item = told_item)
      union all
      select w.id, w.step_id, w.item, w.handler, w.priority, w.attempt, w.failures, w.queued_at, w.available_at, null,
             case when w.paused then 'run_paused'
                  when (w.available_at <= find_open_task.at or w.available_at is null and w.reason = 'limit') and w.handler <> all (served) then 'needs_version'
                  else w.reason end
        from millrace.waiting_task w
       where w.run_id = told_run and (told_step is null or w.step_id = told_step) and (told_item is null or w.item = told_item)
    )
    select o.reason, d.id, d.step, nullif(o.item, -1), o.id, o.handler, o.priority, o.attempt, o.failures, d.max_attempts,
           o.since, o.due_at, o.worker_id, count(*) over ()
      from open o join millrace.step_definition d on d.id = o.step_id
     order by array_position(array['needs_version', 'aborting', 'running', 'queued'], o.reason) nulls last,
              coalesce(o.due_at, o.since), d.position, o.item
     limit 1;
end $$;
comment on function millrace.find_open_task(uuid, int, int, timestamptz) is 'Of what is open of a run, the task to tell first, and how many there are.';
