-- The list that a map goes over, now that it is known: its values, and a count of them to wait for. A map over a skipped step is
-- skipped, one over an empty list is final at once; what is no list, or too long a one, fails the run and says so.
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
begin
  select d.* into map from step_definition d where d.id = expand_map.step_id;
  select o.output, o.outcome = 'completed' into source_output, source_known
    from read_outputs(array[expand_map.run_id], array[map.over]) o;
  final := true;
  if source_known is not true then
    perform record_map(expand_map.run_id, map.step, 'skipped', null, null, format('''%s'' was skipped', map.over), at);
    return next;
    return;
  end if;
  if jsonb_typeof(source_output) <> 'array' then
    found_error := jsonb_build_object('code', 'map_not_a_list', 'retryable', false,
      'message', format('''%s'' maps over ''%s'', whose output is no list but %s.', map.step, map.over, jsonb_typeof(source_output)));
  elsif jsonb_array_length(source_output) > 100000 then
    found_error := jsonb_build_object('code', 'map_too_long', 'retryable', false,
      'message', format('''%s'' maps over a list of %s items; 100,000 are the most.', map.step, jsonb_array_length(source_output)));
  elsif jsonb_array_length(source_output) > 0 then
    item_values := array(select jsonb_array_elements(source_output));
    insert into join_state (run_id, step_id, needs_left) values (expand_map.run_id, expand_map.step_id, cardinality(item_values));
    final := false;
  else
    perform record_map(expand_map.run_id, map.step, 'completed', '[]', null, null, at);
  end if;
  if found_error is not null then
    final := false;
    perform record_map(expand_map.run_id, map.step, 'failed', null, found_error, null, at);
    perform fail_runs(array[expand_map.run_id], array[map.step], array[-1], array[found_error], at);
  end if;
  return next;
end $$;
comment on function millrace.expand_map(uuid, int, timestamptz) is 'The values that a map goes over; final where it is over already.';
