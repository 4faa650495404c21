-- Refuses a key that is no list of paths into the input: at most 10 paths, each of 1 to 20 names.
create or replace function millrace.check_key(slug text, key jsonb) returns void
language plpgsql immutable
as $$
begin
  if not millrace.is_path_list(key) then
    raise exception 'The key of pipeline ''%'' is no list of at most 10 paths into the input.', slug
      using errcode = 'MR001', hint = 'Write each path as a list of names: [["state"], ["place", "city"]].';
  end if;
end $$;
comment on function millrace.check_key(text, jsonb) is 'Refuses a key that is no list of paths into the input.';
