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
  perform millrace.check_key(slug, (select coalesce(jsonb_agg(path), '[]') from (select path from jsonb_array_elements(graph #> '{encrypt,clear}') path limit 10) p));
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
