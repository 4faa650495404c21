-- Refuses a key that is no list of paths into the input. A start has no items, and its tenant is part of every key.
create or replace function millrace.check_start_key(slug text, name text, key jsonb) returns void
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
    select coalesce(bool_and(jsonb_typeof(part) = 'string' and part <> '""'), true)
           and not exists (select from jsonb_array_elements(key) path where path ->> 0 like '$%') into is_list
      from jsonb_array_elements(key) path, jsonb_array_elements(path) part;
  end if;
  if not is_list then
    raise exception 'The key of rule ''%'' of pipeline ''%'' is no list of at most 10 paths into the input: %.', name, slug, key
      using errcode = 'MR070', hint = 'Write each path as a list of names: [["state"], ["place", "city"]]. The tenant counts by itself, and a start has no items.';
  end if;
end $$;
comment on function millrace.check_start_key(text, text, jsonb) is 'Refuses a key of a rule on starts that is no list of paths into the input.';
