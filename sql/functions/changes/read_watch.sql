-- A watch as it was given, refused by name where it can't be right. Its table is looked at when it is applied, not here.
create or replace function millrace.read_watch(name text, settings jsonb, source text) returns millrace.change_watch
language plpgsql stable
as $$
#variable_conflict use_column
declare
  watched change_watch;
  unknown text;
  wrong text;
begin
  if jsonb_typeof(settings) is distinct from 'object' then
    perform refuse_argument('settings', 'a JSON object', settings::text);
  end if;
  watched.name := read_watch.name;
  watched.slug := settings ->> 'pipeline';
  watched.table_schema := settings ->> 'schema';
  watched.table_name := settings ->> 'table';
  watched.tenant := settings ->> 'tenant';
  watched.settings := jsonb_strip_nulls(settings - array['pipeline', 'schema', 'table', 'tenant']);
  watched.source := read_watch.source;
  settings := watched.settings;
  select min(k) into unknown from jsonb_object_keys(settings) k
   where k <> all (array['operations', 'columns', 'values', 'when', 'key', 'coalesce_ms', 'by_key', 'record_gaps', 'tenant_column', 'map']);
  wrong := case
    when unknown is not null then format('it takes no ''%s''', unknown)
    when read_watch.name !~ '^[a-z][a-z0-9-]{0,62}$' or read_watch.name is null then 'its name takes lower-case letters, digits and -, beginning with a letter, 63 at most'
    when watched.table_schema is null or watched.table_name is null then 'it names no table'
    when watched.table_schema in ('millrace', 'pg_catalog', 'information_schema') then format('tables of schema %s can''t be watched', watched.table_schema)
    when not exists (select from pipeline p where p.slug = watched.slug) then format('there is no pipeline ''%s''', watched.slug)
    when exists (select from pipeline p join pipeline_version v on v.slug = p.slug and v.version = p.active_version where p.slug = watched.slug and v.is_encrypted)
      then format('pipeline ''%s'' is encrypted, and changes come in the clear', watched.slug)
    when jsonb_typeof(settings -> 'operations') is distinct from 'array' or jsonb_array_length(settings -> 'operations') = 0
      or exists (select from jsonb_array_elements_text(settings -> 'operations') o where o not in ('insert', 'update', 'delete', 'truncate'))
      then 'it is on insert, update, delete or truncate, one at least'
    when exists (select from unnest(array['columns', 'values', 'key']) k where settings ? k and (jsonb_typeof(settings -> k) <> 'array' or jsonb_array_length(settings -> k) not between 1 and 1600
           or jsonb_path_exists(settings -> k, '$[*] ? (@.type() != "string")'))) then 'columns, values and key are lists of columns'
    when settings ? 'columns' and not settings -> 'operations' ? 'update' then 'columns say which updates count, and it is not on update'
    when settings ? 'when' and (jsonb_typeof(settings -> 'when') <> 'object' or exists (
           select from jsonb_each(settings -> 'when') w where w.key not in ('insert', 'update', 'delete') or jsonb_typeof(w.value) <> 'string'))
      then 'when is a condition in SQL for insert, update and delete'
    when settings ? 'coalesce_ms' and (settings ->> 'coalesce_ms') !~ '^[0-9]{1,8}$' then 'coalesce is up to a day'
    when (settings ->> 'coalesce_ms')::int > 86400000 then 'coalesce is up to a day'
    when settings ? 'tenant_column' and jsonb_typeof(settings -> 'tenant_column') <> 'string' then 'tenant_column is a column'
    when jsonb_typeof(settings -> 'by_key') <> 'boolean' or jsonb_typeof(settings -> 'record_gaps') <> 'boolean' then 'by_key and record_gaps are true or false'
    when watched.tenant is not null and not settings ? 'tenant_column' then 'a tenant''s watch names the column that holds the tenant'
    when watched.tenant is not null and settings -> 'operations' ? 'truncate' then 'a tenant''s watch is not on truncate, which concerns the rows of all tenants'
    when settings ? 'map' and (jsonb_typeof(settings -> 'map') <> 'object' or exists (select from jsonb_each(settings -> 'map') m where jsonb_typeof(m.value) <> 'array'))
      then 'map is an object of paths into the change'
    end;
  if wrong is not null then
    raise exception 'Watch ''%'' is refused: %.', read_watch.name, wrong using errcode = 'MR140', hint = 'Correct it; docs/changes.md says what a watch takes.';
  end if;
  return watched;
end $$;
comment on function millrace.read_watch(text, jsonb, text) is 'A watch as it was given, refused by name where it can''t be right.';
