-- Makes tasks of steps that became ready, leased to the worker while it has room; tasks of a paused run are parked. Priority and pause
-- are those of the finished tasks of the same run.
create or replace function millrace.add_tasks(
  run_ids uuid[], step_ids int[], items int[], item_values jsonb[],
  from_runs uuid[], from_priorities smallint[], from_paused boolean[],
  worker_id uuid, room int, best smallint, open_lanes int[], at timestamptz)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int)
language plpgsql
as $$
#variable_conflict use_column
declare
  added record;
  left_ready boolean := false;
  turning boolean := exists (select from turn_handler);
begin
  insert into waiting_task (handler, priority, run_id, step_id, item, item_value, reason, available_at, paused)
  select d.handler, f.priority, g.run_id, g.step_id, g.item, g.item_value, 'paused', at, true
    from unnest(run_ids, step_ids, items, item_values) g(run_id, step_id, item, item_value)
    join (select distinct on (run_id) * from unnest(from_runs, from_priorities, from_paused) f(run_id, priority, paused)
           order by run_id, paused desc) f on f.run_id = g.run_id and f.paused
    join step_definition d on d.id = g.step_id;

  for added in
    with source as (
      select distinct on (run_id) * from unnest(from_runs, from_priorities, from_paused) f(run_id, priority, paused)
       order by run_id, paused desc
    ), ranked as (
      select d.handler, f.priority, g.run_id, g.step_id, g.item, g.item_value,
             add_tasks.worker_id is not null and f.priority <= best and d.handler = any (open_lanes)
               and row_number() over (order by f.priority, g.n) <= room as leased, g.n
        from unnest(run_ids, step_ids, items, item_values) with ordinality g(run_id, step_id, item, item_value, n)
        join source f on f.run_id = g.run_id and not f.paused
        join step_definition d on d.id = g.step_id
    )
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, worker_id, ready_at, claimed_at, turn_key)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, case when r.leased then 1 else 0 end,
           case when r.leased then add_tasks.worker_id end, at, case when r.leased then at end,
           case when turning and not r.leased then (
             select limit_key(f.key_paths, f.input_path, u.input, r.item_value, u.tenant) from find_turns(array[r.handler]) f join run u on u.id = r.run_id) end
      from ranked r order by r.n
    returning id, run_id, step_id, item, item_value, attempt
  loop
    if added.attempt = 0 then
      left_ready := true;
    else
      task_id := added.id;
      run_id := added.run_id;
      step_id := added.step_id;
      item := added.item;
      item_value := added.item_value;
      attempt := added.attempt;
      return next;
    end if;
  end loop;
  if left_ready then
    perform wake_workers(false);
  end if;
end $$;
comment on function millrace.add_tasks(uuid[], int[], int[], jsonb[], uuid[], smallint[], boolean[], uuid, int, smallint, int[], timestamptz)
  is 'Makes tasks of steps that became ready.';
