-- Locks all tasks of runs, ready, held and waiting, in the order of their ids. A task of a run can only come from another one that leaves
-- (it is finished, tried again or promoted), so the set is stable once all that a look saw could be locked; else it looks again.
-- Whoever ends or pauses a run from outside its own steps calls this first.
--
-- The order of locks, for everything that is under way on a run: the entry lock of the worker, tasks, join rows, the run, its run key,
-- its deadline. Who takes a later one takes no earlier one after it.
create or replace function millrace.lock_run_tasks(run_ids uuid[]) returns void
language plpgsql
as $$
declare
  stable boolean;
begin
  if run_ids = '{}' then
    return;
  end if;
  loop
    with locked_waiting as (
      select w.id from millrace.waiting_task w where w.run_id = any (run_ids) order by w.id + 0 for update
    ), locked as (
      select t.id from millrace.task t where t.run_id = any (run_ids) order by t.id + 0 for update
    )
    select (select count(*) from locked_waiting) = (select count(*) from millrace.waiting_task w where w.run_id = any (run_ids))
       and (select count(*) from locked) = (select count(*) from millrace.task t where t.run_id = any (run_ids))
      into stable;
    exit when stable;
  end loop;
end $$;
comment on function millrace.lock_run_tasks(uuid[]) is 'Locks all tasks of runs until no new ones appear.';
