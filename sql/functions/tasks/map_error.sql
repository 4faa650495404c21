-- Why a map can't go over an output: it is no list, or too long a one; null where it can.
create or replace function millrace.map_error(map text, source text, output jsonb) returns jsonb
language plpgsql immutable
as $$
begin
  if jsonb_typeof(output) is distinct from 'array' then
    return jsonb_build_object('code', 'map_not_a_list', 'retryable', false,
      'message', format('''%s'' maps over ''%s'', whose output is no list but %s.', map, source, coalesce(jsonb_typeof(output), 'null')));
  elsif jsonb_array_length(output) > 100000 then
    return jsonb_build_object('code', 'map_too_long', 'retryable', false,
      'message', format('''%s'' maps over a list of %s items; 100,000 are the most.', map, jsonb_array_length(output)));
  end if;
  return null;
end $$;
comment on function millrace.map_error(text, text, jsonb) is 'Why a map can''t go over an output; null where it can.';
