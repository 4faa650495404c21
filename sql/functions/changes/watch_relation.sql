-- The table that a watch names, by its name as it is now; null where there is none.
create or replace function millrace.watch_relation(watched millrace.change_watch) returns oid
language sql stable
as $$
  select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname = watched.table_schema and c.relname = watched.table_name and c.relkind in ('r', 'p')
$$;
comment on function millrace.watch_relation(millrace.change_watch) is 'The table that a watch names.';
