-- Refuses a key that is no list of paths: each leads into the input, or begins with $tenant or $item.
create or replace function millrace.check_limit_paths(name text, key jsonb) returns void
language plpgsql immutable
as $$
declare
  is_list boolean := true;
begin
  if key is null then
    return;
  end if;
  if jsonb_typeof(key) <> 'array' or jsonb_array_length(key) > 10 then
    is_list := false;
  else
    select coalesce(bool_and(case jsonb_typeof(path) when 'array' then jsonb_array_length(path) between 1 and 20 else false end), true) into is_list
      from jsonb_array_elements(key) path;
  end if;
  if is_list then
    select coalesce(bool_and(jsonb_typeof(part) = 'string' and part <> '""'), true) into is_list
      from jsonb_array_elements(key) path, jsonb_array_elements(path) part;
  end if;
  if not is_list or exists (select from jsonb_array_elements(key) path
                             where path ->> 0 like '$%' and not (path ->> 0 = '$item' or path = '["$tenant"]')) then
    raise exception 'The key of limit ''%'' is no list of at most 10 paths: %.', name, key
      using errcode = 'MR060', hint = 'Write each path as a list of names: [["state"], ["place", "city"]], [["$tenant"]] or [["$item", "host"]].';
  end if;
end $$;
comment on function millrace.check_limit_paths(text, jsonb) is 'Refuses a key of a rule that is no list of paths.';
