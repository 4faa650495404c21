-- The list that a map goes over, now that it is known: the values of the items that begin at once, and a count of all to wait for. What its
-- concurrency holds back lies in map_item. A map over a skipped step is skipped, one over an empty list is final at once. What is no list,
-- or too long a one, ended the run when it was written (see fail_maps); a map whose onError says otherwise takes that outcome here.
create or replace function millrace.expand_map(run_id uuid, step_id int, at timestamptz)
returns table (item_values jsonb[], final boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
  map step_definition;
  source_output jsonb;
  source_known boolean;
  found_error jsonb;
  items int;
begin
  select d.* into map from step_definition d where d.id = expand_map.step_id;
  select o.output, o.outcome = 'completed' into source_output, source_known
    from read_outputs(array[expand_map.run_id], array[map.over]) o;
  final := true;
  if source_known is not true then
    perform record_outcome(expand_map.run_id, map.step, 1, 'skipped', null, null, format('''%s'' was skipped', map.over), at);
    return next;
    return;
  end if;
  found_error := map_error(map.step, map.over, source_output);
  if found_error is not null then
    perform record_outcome(expand_map.run_id, map.step, 1, 'failed', null, found_error, null, at);
    perform pass_over_error(expand_map.run_id, map, 2, found_error, at);
    return next;
    return;
  end if;
  items := jsonb_array_length(source_output);
  if items = 0 then
    perform record_outcome(expand_map.run_id, map.step, 1, 'completed', '[]', null, null, at);
    return next;
    return;
  end if;
  final := false;
  insert into join_state (run_id, step_id, needs_left, failures_left)
  values (expand_map.run_id, expand_map.step_id, items, coalesce(map.fail_after_items, floor(map.fail_after_percent / 100 * items)::int));
  item_values := array(select jsonb_array_elements(source_output));
  if map.concurrency < items then
    insert into map_item (run_id, step_id, item, item_value)
    select expand_map.run_id, expand_map.step_id, i.n - 1, i.item_value
      from unnest(item_values) with ordinality i(item_value, n) where i.n > map.concurrency;
    item_values := item_values[1:map.concurrency];
  end if;
  return next;
end $$;
comment on function millrace.expand_map(uuid, int, timestamptz) is 'The values of a map''s items that begin at once; final where it is over already.';
