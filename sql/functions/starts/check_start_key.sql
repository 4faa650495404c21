-- Refuses a key that is no list of paths into the input. A start has no items, and its tenant is part of every key.
create or replace function millrace.check_start_key(slug text, name text, key jsonb) returns void
language plpgsql immutable
as $$
begin
  if not millrace.is_path_list(key) or exists (select from jsonb_array_elements(key) path where path ->> 0 like '$%') then
    raise exception 'The key of rule ''%'' of pipeline ''%'' is no list of at most 10 paths into the input: %.', name, slug, key
      using errcode = 'MR070', hint = 'Write each path as a list of names: [["state"], ["place", "city"]]. The tenant counts by itself, and a start has no items.';
  end if;
end $$;
comment on function millrace.check_start_key(text, text, jsonb) is 'Refuses a key of a rule on starts that is no list of paths into the input.';
