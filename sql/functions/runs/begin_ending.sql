-- Makes the tasks of a step that follows a run's outcome: one; or, where it undoes a map, one for each item that was completed, with the
-- map's concurrency.
create or replace function millrace.begin_ending(ending millrace.run, ending_step int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  definition step_definition;
  mapped text;
  source_output jsonb;
  found_items int[] := array[-1];
  found_values jsonb[] := array[null::jsonb];
  most int;
  last_attempt int;
begin
  select d.* into definition from step_definition d where d.id = ending_step;
  select d.over into mapped from step_definition d
   where d.slug = definition.slug and d.version = definition.version and d.step = definition.undoes and d.kind = 'map';
  if found then
    select o.output into source_output from read_outputs(array[(ending).id], array[mapped]) o;
    select array_agg(a.item order by a.item), array_agg(source_output -> a.item order by a.item) into found_items, found_values
      from attempt a
     where a.run_id = (ending).id and a.step = definition.undoes and a.outcome = 'completed' and a.worker_id is not null and a.item >= 0;
    insert into join_state (run_id, step_id, needs_left) values ((ending).id, ending_step, cardinality(found_items));
    insert into map_item (run_id, step_id, item, item_value)
    select (ending).id, ending_step, i.item, i.item_value
      from unnest(found_items, found_values) with ordinality i(item, item_value, n) where i.n > definition.concurrency;
  end if;
  most := least(cardinality(found_items), definition.concurrency);
  perform add_tasks(array_fill((ending).id, array[most]), array_fill(ending_step, array[most]), found_items[:most], found_values[:most],
                    array[(ending).id], array[(ending).priority], array[(ending).paused_at is not null], null, 0, 10::smallint, '{}', at);
  -- Where it ran already, before the run was redriven, its attempts are numbered on; in a paused run its tasks wait.
  select max(a.attempt) into last_attempt from attempt a where a.run_id = (ending).id and a.step = definition.step;
  update task t set attempt = last_attempt
   where t.run_id = (ending).id and t.step_id = ending_step and t.worker_id is null and t.attempt < last_attempt;
  update waiting_task w set attempt = last_attempt
   where w.run_id = (ending).id and w.step_id = ending_step and w.attempt < last_attempt;
end $$;
comment on function millrace.begin_ending(millrace.run, int, timestamptz) is 'Makes the tasks of a step that follows a run''s outcome.';
