-- Refuses a key that is no list of paths: each leads into the input, or begins with $tenant or $item.
create or replace function millrace.check_limit_paths(name text, key jsonb) returns void
language plpgsql immutable
as $$
begin
  if key is null then
    return;
  end if;
  if not millrace.is_path_list(key) or exists (select from jsonb_array_elements(key) path
                             where path ->> 0 like '$%' and not (path ->> 0 = '$item' or path = '["$tenant"]')) then
    raise exception 'The key of limit ''%'' is no list of at most 10 paths: %.', name, key
      using errcode = 'MR060', hint = 'Write each path as a list of names: [["state"], ["place", "city"]], [["$tenant"]] or [["$item", "host"]].';
  end if;
end $$;
comment on function millrace.check_limit_paths(text, jsonb) is 'Refuses a key of a rule that is no list of paths.';
