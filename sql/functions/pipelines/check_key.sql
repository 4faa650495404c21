-- Refuses a key that is no list of paths into the input: at most 10 paths, each of 1 to 20 names.
create or replace function millrace.check_key(slug text, key jsonb) returns void
language plpgsql immutable
as $$
declare
  is_list boolean := false;
begin
  if jsonb_typeof(key) = 'array' and jsonb_array_length(key) <= 10 then
    select coalesce(bool_and(case jsonb_typeof(path) when 'array' then jsonb_array_length(path) between 1 and 20 else false end), true) into is_list
      from jsonb_array_elements(key) path;
  end if;
  if is_list then
    select coalesce(bool_and(jsonb_typeof(name) = 'string' and name <> '""'), true) into is_list
      from jsonb_array_elements(key) path, jsonb_array_elements(path) name;
  end if;
  if not is_list then
    raise exception 'The key of pipeline ''%'' is no list of at most 10 paths into the input.', slug
      using errcode = 'MR001', hint = 'Write each path as a list of names: [["state"], ["place", "city"]].';
  end if;
end $$;
comment on function millrace.check_key(text, jsonb) is 'Refuses a key that is no list of paths into the input.';
