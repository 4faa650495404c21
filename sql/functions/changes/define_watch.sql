-- Defines a watch, or changes it; answers its revision, which stays the same where nothing changes. What it asks of its table is installed by
-- whoever may create triggers there, with: npx millrace watch apply
create or replace function millrace.define_watch(name text, settings jsonb, source text default 'operator', expected_revision int default null) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  wanted change_watch := read_watch(define_watch.name, define_watch.settings, define_watch.source);
  answer int;
begin
  perform refuse_watch_revision(define_watch.name, define_watch.expected_revision);
  insert into change_watch as w (name, slug, table_schema, table_name, tenant, settings, source, changed_at, changed_by)
  values (wanted.name, wanted.slug, wanted.table_schema, wanted.table_name, wanted.tenant, wanted.settings, wanted.source, millrace.now(), actor())
      on conflict (name) do update
     set slug = excluded.slug, table_schema = excluded.table_schema, table_name = excluded.table_name, tenant = excluded.tenant, settings = excluded.settings,
         source = excluded.source, retired_at = null, look_at = null, revision = w.revision + 1, changed_at = excluded.changed_at, changed_by = excluded.changed_by
   where (w.slug, w.table_schema, w.table_name, w.settings, w.source) is distinct from (excluded.slug, excluded.table_schema, excluded.table_name, excluded.settings, excluded.source)
      or w.tenant is distinct from excluded.tenant or w.retired_at is not null
  returning w.revision into answer;
  return coalesce(answer, (select w.revision from change_watch w where w.name = define_watch.name));
end $$;
comment on function millrace.define_watch(text, jsonb, text, int) is 'Defines a watch on a table, or changes it; answers its revision.';
