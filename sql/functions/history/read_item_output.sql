-- What one item of a map gave: what undoes the item is given that, also where the map as a whole took its fallback afterwards.
create or replace function millrace.read_item_output(run_id uuid, step text, item int) returns jsonb
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select a.output from attempt a
   where a.run_id = read_item_output.run_id and a.step = read_item_output.step and a.item = read_item_output.item and a.outcome = 'completed'
$$;
comment on function millrace.read_item_output(uuid, text, int) is 'What one item of a map gave.';
