-- Makes parked tasks ready. Of a paused run they are held back until it is resumed, ready then.
create or replace function millrace.wake_tasks(run_ids uuid[], step_ids int[], items int[], at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  woken_runs uuid[];
begin
  with parked as (
    select distinct w.id from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
      join waiting_task w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item and w.reason = 'waiting'
  ), held_back as (
    update waiting_task w set reason = 'paused', available_at = at from parked p where w.id = any (array[p.id]) and w.paused
  ), removed as (
    delete from waiting_task w using parked p where w.id = any (array[p.id]) and not w.paused returning w.*
  ), added as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, at from removed r order by r.id
    returning run_id
  )
  select array_agg(a.run_id) into woken_runs from added a;
  if woken_runs is null then
    return 0;
  end if;
  perform wake_runs(woken_runs);
  perform wake_workers(false);
  return cardinality(woken_runs);
end $$;
comment on function millrace.wake_tasks(uuid[], int[], int[], timestamptz) is 'Makes parked tasks ready; answers how many.';
