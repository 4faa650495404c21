-- Refuses an encrypted graph of which something could not be kept: paths in the clear that are none, and objectives that SQL would have to read
-- out of the output.
create or replace function millrace.check_encryption(slug text, graph jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
begin
  if graph -> 'encrypt' is null then
    return;
  end if;
  if jsonb_typeof(graph #> '{encrypt,clear}') is distinct from 'array' then
    raise exception 'The encrypt of pipeline ''%'' has no list of paths that stay in the clear.', slug
      using errcode = 'MR001', hint = 'Write {"encrypt": {"clear": []}}, with the paths of the run key among them.';
  end if;
  -- The run key's, and as many others.
  if jsonb_array_length(graph #> '{encrypt,clear}') > 20
     or exists (select from jsonb_array_elements(graph #> '{encrypt,clear}') path where not millrace.is_path_list(jsonb_build_array(path))) then
    raise exception 'The encrypt of pipeline ''%'' leaves % paths into the input in the clear, with those of the run key: at most 20 are allowed, each of 1 to 20 names.',
        slug, jsonb_array_length(graph #> '{encrypt,clear}')
      using errcode = 'MR001', hint = 'Write each path as a list of names: [["state"], ["place", "city"]].';
  end if;
  if exists (select from jsonb_array_elements(coalesce(graph -> 'key', '[]')) path where not graph #> '{encrypt,clear}' @> jsonb_build_array(path)) then
    raise exception 'The run key of pipeline ''%'' needs a value that is not among those in the clear.', slug
      using errcode = 'MR001', hint = 'Add the paths of the key to the list: SQL has to read them.';
  end if;
  select o.name into bad from jsonb_each(coalesce(graph -> 'objectives', '{}')) o(name, objective) where o.objective ? 'output' limit 1;
  if found then
    raise exception 'Pipeline ''%'' is encrypted, so the output that its objective ''%'' is about can''t be read.', slug, bad
      using errcode = 'MR001', hint = 'Measure it with a metric instead.';
  end if;
end $$;
comment on function millrace.check_encryption(text, jsonb) is 'Refuses an encrypted graph of which something could not be kept.';
