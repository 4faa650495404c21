-- What must be locked before tasks that failed for good leave: all tasks of each run that they fail, or whose map they end early. Whether a
-- map tolerates the failure is known only one after the other, so its failures form a queue first; nothing else changes that count.
-- Given is an entry a task.
create or replace function millrace.lock_failing_runs(run_ids uuid[], step_ids int[]) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  if run_ids is null then
    return;
  end if;
  perform pg_advisory_xact_lock(77425, t.key)
     from (select distinct hashtext(g.run_id || ' ' || g.step_id) as key from unnest(run_ids, step_ids) g(run_id, step_id)
             join step_definition d on d.id = g.step_id and num_nonnulls(d.fail_after_items, d.fail_after_percent) > 0
            order by 1) t;
  perform lock_run_tasks(array(
    select distinct g.run_id
      from (select u.run_id, u.step_id, count(*) as n from unnest(run_ids, step_ids) u(run_id, step_id) group by 1, 2) g
      join step_definition d on d.id = g.step_id
      left join join_state j on j.run_id = any (array[g.run_id]) and j.step_id = any (array[g.step_id])
     where case when d.kind in ('undo', 'finally') then false
                when d.kind = 'map' then g.n > coalesce(j.failures_left, 0) else d.on_error = 'fail' end));
end $$;
comment on function millrace.lock_failing_runs(uuid[], int[]) is 'Locks what must be locked before tasks that failed for good leave.';
