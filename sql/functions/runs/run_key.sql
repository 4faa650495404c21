-- The run key of an input: the value at the version's one path, or the JSON list of the values at its paths.
create or replace function millrace.run_key(slug text, input jsonb, key_paths jsonb) returns text
language plpgsql immutable
as $$
declare
  path jsonb;
  value jsonb;
  found_values jsonb := '[]'::jsonb;
  readable jsonb := millrace.clear_input(input);
begin
  if key_paths = '[]' then
    return null;
  end if;
  for path in select jsonb_array_elements(key_paths) loop
    value := readable #> array(select jsonb_array_elements_text(path));
    if value is null or value = 'null' then
      raise exception 'The input of pipeline ''%'' has no value at %, which its run key needs.', slug,
        (select string_agg(p, '.') from jsonb_array_elements_text(path) p)
        using errcode = 'MR003', hint = 'Give the input that value.';
    end if;
    found_values := found_values || jsonb_build_array(value);
  end loop;
  if length(found_values::text) > 500 then
    raise exception 'The run key of pipeline ''%'' would have % characters; 500 are the most.', slug, length(found_values::text)
      using errcode = 'MR003', hint = 'Make the key of shorter values of the input.';
  end if;
  if jsonb_array_length(found_values) = 1 and jsonb_typeof(found_values -> 0) in ('string', 'number', 'boolean') then
    return found_values ->> 0;
  end if;
  return found_values::text;
end $$;
comment on function millrace.run_key(text, jsonb, jsonb) is 'The run key of an input.';
