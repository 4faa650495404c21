-- Advances graphs beyond chains: joins, maps and branches. Given are finished steps (and items of maps); what becomes ready is made a
-- task, leased to the worker while it has room. Steps that are final at once (a map over an empty list) go round again. gave_up marks
-- items of maps that failed for good, where the map tolerates that.
--
-- All join rows of the batch's runs are locked first, in the order (run, step): two parents that end in two transactions at once
-- count down one after the other, and exactly one of them finds zero.
create or replace function millrace.advance_runs(
  run_ids uuid[], step_ids int[], items int[], priorities smallint[], run_paused boolean[],
  worker_id uuid, room int, best smallint, open_lanes int[], at timestamptz, gave_up boolean[] default null)
returns table (kind text, task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, output jsonb)
language plpgsql
as $$
#variable_conflict use_column
declare
  front_runs uuid[];
  front_steps int[];
  ready_runs uuid[];
  ready_steps int[];
  new_runs uuid[] := array[]::uuid[];
  new_steps int[] := array[]::int[];
  new_items int[] := array[]::int[];
  new_values jsonb[] := array[]::jsonb[];
  held_back boolean;
  ending_runs uuid[];
  skipping boolean;
  special record;
  expanded record;
begin
  perform 1 from join_state j where j.run_id = any (run_ids) order by j.run_id, j.step_id for update;

  -- Items count down their own map; a map without items left is final, as a plain step that finished is.
  select coalesce(array_agg(f.run_id), '{}'), coalesce(array_agg(f.step_id), '{}'),
         exists (select from step_definition d where d.id = any (step_ids) and d.concurrency is not null),
         array_agg(f.run_id) filter (where f.kind in ('undo', 'finally'))
    into front_runs, front_steps, held_back, ending_runs
    from (
      select g.run_id, g.step_id, d.kind from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
        join step_definition d on d.id = g.step_id where g.item = -1
      union all
      select c.run_id, c.step_id, d.kind from count_down_joins(
        (select array_agg(g.run_id) from unnest(run_ids, step_ids, items) g(run_id, step_id, item) where g.item >= 0),
        (select array_agg(g.step_id) from unnest(run_ids, step_ids, items) g(run_id, step_id, item) where g.item >= 0),
        (select array_agg(g.failed) from unnest(items, gave_up) g(item, failed) where g.item >= 0)) c join step_definition d on d.id = c.step_id
    ) f;

  -- An item that ended makes room for the next one of its map.
  if held_back then
    select coalesce(array_agg(n.run_id), '{}'), coalesce(array_agg(n.step_id), '{}'), coalesce(array_agg(n.item), '{}'),
           coalesce(array_agg(n.item_value), '{}')
      into new_runs, new_steps, new_items, new_values
      from (select * from next_items(
              (select array_agg(g.run_id) from unnest(run_ids, step_ids, items) g(run_id, step_id, item) where g.item >= 0),
              (select array_agg(g.step_id) from unnest(run_ids, step_ids, items) g(run_id, step_id, item) where g.item >= 0)) i
             order by i.run_id, i.step_id, i.item) n;
  end if;

  while front_runs <> '{}' loop
    -- What comes after: at once where it needs only one step, else when its count reaches zero.
    select coalesce(array_agg(f.run_id order by f.run_id, f.position), '{}'), coalesce(array_agg(f.step_id order by f.run_id, f.position), '{}'),
           bool_or(f.skips_with_needs)
      into ready_runs, ready_steps, skipping
      from (
        select n.run_id, n.id as step_id, n.position, n.skips_with_needs
          from (select g.run_id, d.* from unnest(front_runs, front_steps) g(run_id, step_id)
                  join step_definition parent on parent.id = g.step_id
                 cross join unnest(parent.dependents) after(id) join step_definition d on d.id = after.id) n
         where cardinality(n.needs) = 1
        union all
        select c.run_id, c.step_id, d.position, d.skips_with_needs
          from count_down_joins(
            (select array_agg(g.run_id) from unnest(front_runs, front_steps) g(run_id, step_id)
               join step_definition parent on parent.id = g.step_id
              cross join unnest(parent.dependents) after(id) join step_definition d on d.id = after.id and cardinality(d.needs) > 1),
            (select array_agg(d.id) from unnest(front_runs, front_steps) g(run_id, step_id)
               join step_definition parent on parent.id = g.step_id
              cross join unnest(parent.dependents) after(id) join step_definition d on d.id = after.id and cardinality(d.needs) > 1)) c
          join step_definition d on d.id = c.step_id
      ) f;
    front_runs := '{}';
    front_steps := '{}';

    -- A step that is skipped with what it needs is final at once.
    if skipping then
      for special in
        select g.n, g.run_id, g.step_id, d.step, d.needs from unnest(ready_runs, ready_steps) with ordinality g(run_id, step_id, n)
          join step_definition d on d.id = g.step_id and d.skips_with_needs
         where not exists (select from unnest(d.needs) need(step)
                            where not exists (select from skipped_steps(array[g.run_id], array[need.step])))
         order by g.n desc
      loop
        perform record_outcome(special.run_id, special.step, 1, 'skipped', null, null,
          format('all that it needs was skipped: %s', step_list(special.needs)), at);
        ready_runs := ready_runs[:special.n - 1] || ready_runs[special.n + 1:];
        ready_steps := ready_steps[:special.n - 1] || ready_steps[special.n + 1:];
        front_runs := front_runs || special.run_id;
        front_steps := front_steps || special.step_id;
      end loop;
    end if;

    new_runs := new_runs || array(select g.run_id from unnest(ready_runs, ready_steps) with ordinality g(run_id, step_id, n)
                                    join step_definition d on d.id = g.step_id where d.kind not in ('map', 'end') order by g.n);
    new_steps := new_steps || array(select g.step_id from unnest(ready_runs, ready_steps) with ordinality g(run_id, step_id, n)
                                      join step_definition d on d.id = g.step_id where d.kind not in ('map', 'end') order by g.n);
    new_items := new_items || array_fill(-1, array[cardinality(new_runs) - cardinality(new_items)]);
    new_values := new_values || array_fill(null::jsonb, array[cardinality(new_runs) - cardinality(new_values)]);

    for special in
      select g.run_id, g.step_id, d.kind from unnest(ready_runs, ready_steps) g(run_id, step_id)
        join step_definition d on d.id = g.step_id and d.kind in ('map', 'end')
    loop
      if special.kind = 'end' then
        return query select e.kind, null::bigint, e.run_id, null::int, null::int, null::jsonb, null::int, e.output
                       from end_graph_run(special.run_id, special.step_id, at) e;
        continue;
      end if;
      select * into expanded from expand_map(special.run_id, special.step_id, at);
      if expanded.item_values is not null then
        new_runs := new_runs || array_fill(special.run_id, array[cardinality(expanded.item_values)]);
        new_steps := new_steps || array_fill(special.step_id, array[cardinality(expanded.item_values)]);
        new_items := new_items || array(select generate_series(0, cardinality(expanded.item_values) - 1));
        new_values := new_values || expanded.item_values;
      end if;
      if expanded.final then
        front_runs := front_runs || special.run_id;
        front_steps := front_steps || special.step_id;
      end if;
    end loop;
  end loop;

  if new_runs <> '{}' then
    return query
      select 'next', n.task_id, n.run_id, n.step_id, n.item, n.item_value, n.attempt, null::jsonb
        from add_tasks(new_runs, new_steps, new_items, new_values, run_ids, priorities, run_paused,
                       advance_runs.worker_id, advance_runs.room, best, open_lanes, at) n;
  end if;
  if ending_runs is not null then
    perform advance_outcomes(ending_runs, at);
  end if;
end $$;
comment on function millrace.advance_runs(uuid[], int[], int[], smallint[], boolean[], uuid, int, smallint, int[], timestamptz, boolean[])
  is 'Advances graphs beyond chains: joins, maps, branches and ends.';
