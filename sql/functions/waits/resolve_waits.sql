-- Ends waits: the only place where a wait becomes a checkpoint. Parked tasks are ready then; one that runs, or waits for its next try, finds
-- the result when it asks. The tasks are locked by the caller. Answers with those that woke up, leased to the worker where it may have them all.
create or replace function millrace.resolve_waits(
  wait_ids bigint[], results jsonb[], errors jsonb[], at timestamptz, worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  woken_runs uuid[];
  woken_steps int[];
  woken_items int[];
  signal_waits bigint[];
begin
  with ended as (
    delete from wait w using unnest(wait_ids, results, errors) with ordinality g(id, value, error, n) where w.id = any (array[g.id])
    returning w.*, g.value, g.error, g.n
  ), stored as (
    insert into checkpoint (run_id, step, item, name, place, kind, attempt, value, error, created_at)
    select e.run_id, d.step, e.item, e.name, e.place, e.kind, e.attempt,
           case when e.error is null then coalesce(e.value, 'null') end, e.error, at
      from ended e join step_definition d on d.id = e.step_id
     order by e.n
        on conflict (run_id, step, item, name) do nothing
  )
  select array_agg(e.run_id), array_agg(e.step_id), array_agg(e.item), array_agg(e.id) filter (where e.kind = 'signal')
    into woken_runs, woken_steps, woken_items, signal_waits
    from ended e;
  if signal_waits is not null then
    delete from wait_signal where wait_id = any (signal_waits);
  end if;
  if woken_runs is null then
    return array[]::bigint[];
  end if;
  return wake_tasks(woken_runs, woken_steps, woken_items, at, resolve_waits.worker_id, resolve_waits.lock_key, resolve_waits.room);
end $$;
comment on function millrace.resolve_waits(bigint[], jsonb[], jsonb[], timestamptz, uuid, int, int) is 'Ends waits with their results; answers with the tasks that woke up.';
