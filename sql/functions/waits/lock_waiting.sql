-- Locks the tasks of steps, wherever they are: parked, ready or held. Whoever ends a wait from outside its step does this first (see
-- lock_waits): nobody parks, completes or ends the task until then. A task that moves between the tables is looked for again; one that is
-- nowhere has ended. A task that is awake is locked so that it can be claimed still: a claim passes over what is locked, and would find it
-- only with its next full look.
create or replace function millrace.lock_waiting(run_ids uuid[], step_ids int[], items int[]) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  found_waiting bigint;
  stable boolean;
begin
  loop
    select count(*) into found_waiting from (
      select 1 from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
        join millrace.waiting_task w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item
       order by w.id + 0 for update of w) locked;
    exit when found_waiting = cardinality(run_ids);
    with elsewhere as materialized (
      select g.run_id, g.step_id, g.item from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
       where not exists (select from millrace.waiting_task w where w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item)
    ), locked as (
      select t.id from elsewhere g join millrace.task t on t.run_id = any (array[g.run_id]) and t.step_id = g.step_id and t.item = g.item
       order by t.id + 0 for key share of t
    )
    select cardinality(run_ids) - (select count(*) from elsewhere) = found_waiting
       and (select count(*) from locked) = (
             select count(*) from elsewhere g join millrace.task t on t.run_id = any (array[g.run_id]) and t.step_id = g.step_id and t.item = g.item)
      into stable;
    exit when stable;
  end loop;
end $$;
comment on function millrace.lock_waiting(uuid[], int[], int[]) is 'Locks the tasks of steps, parked, ready or held.';
