-- The tables with a tenant in their rows, read from the catalog, so that none is forgotten. The runs themselves are not among them, and
-- no week that was taken out of the history and is about to be dropped.
create or replace function millrace.tables_of_tenants() returns text[]
language sql stable
as $$
  select array(
    select c.relname::text
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
     where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname !~ '_[0-9]{4}w[0-9]{2}$' and c.relname <> 'run'
     order by c.relname)
$$;
comment on function millrace.tables_of_tenants() is 'The tables with a tenant in their rows.';
