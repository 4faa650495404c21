-- Whether a value is a key as it is stored: a list of at most 10 paths, each of 1 to 20 names.
create or replace function millrace.is_path_list(key jsonb) returns boolean
language plpgsql immutable
as $$
begin
  if jsonb_typeof(key) is distinct from 'array' then
    return false;
  end if;
  if jsonb_array_length(key) > 10 or exists (select from jsonb_array_elements(key) path where case jsonb_typeof(path) when 'array' then jsonb_array_length(path) not between 1 and 20 else true end) then
    return false;
  end if;
  return not exists (select from jsonb_array_elements(key) path, jsonb_array_elements(path) name where jsonb_typeof(name) <> 'string' or name = '""');
end $$;
comment on function millrace.is_path_list(jsonb) is 'Whether a value is a list of paths.';
