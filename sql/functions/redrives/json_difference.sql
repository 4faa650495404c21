-- Where two values differ, as a list of path, before and after: into objects, not into lists. What is not there has no key.
create or replace function millrace.json_difference(before jsonb, after jsonb, path text[] default '{}') returns jsonb
language plpgsql immutable
as $$
declare
  name text;
  found_differences jsonb := '[]'::jsonb;
begin
  if before is not distinct from after then
    return found_differences;
  end if;
  if jsonb_typeof(before) is distinct from 'object' or jsonb_typeof(after) is distinct from 'object' or cardinality(path) >= 20 then
    return jsonb_build_array(jsonb_build_object('path', to_jsonb(path))
      || case when before is null then '{}' else jsonb_build_object('before', before) end
      || case when after is null then '{}' else jsonb_build_object('after', after) end);
  end if;
  for name in select key from jsonb_object_keys(before || after) key order by key loop
    found_differences := found_differences || millrace.json_difference(before -> name, after -> name, path || name);
  end loop;
  return found_differences;
end $$;
comment on function millrace.json_difference(jsonb, jsonb, text[]) is 'Where two values differ, as a list of path, before and after.';
