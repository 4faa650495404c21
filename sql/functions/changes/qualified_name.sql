-- A table as statements name it, whatever the search path is.
create or replace function millrace.qualified_name(relation oid) returns text
language sql stable
as $$
  select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation
$$;
comment on function millrace.qualified_name(oid) is 'A table as statements name it, whatever the search path is.';
