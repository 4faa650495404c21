-- The error of a map of which more items failed than it tolerates: it names the item that was too much, and why that failed.
create or replace function millrace.map_failed(map millrace.step_definition, item int, error jsonb) returns jsonb
language plpgsql immutable
as $$
begin
  return jsonb_build_object('code', 'map_failed', 'retryable', false, 'message',
    format('More items of ''%s'' failed than its failAfter of %s allows. Item %s: %s', (map).step,
      coalesce((map).fail_after_items::text, (map).fail_after_percent || '%'), item,
      concat_ws(': ', error ->> 'code', left(error ->> 'message', 1000))));
end $$;
comment on function millrace.map_failed(millrace.step_definition, int, jsonb) is 'The error of a map of which more items failed than it tolerates.';
