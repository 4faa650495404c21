-- Whether this database came from another one, by restoring a dump or from a template, and nobody has enabled it since. Of a template for tests the
-- setting says 'any': what is made from that runs as it is.
create or replace function millrace.is_copied_database() returns boolean
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select not exists (select from setting s where s.name = 'home' and s.value #>> '{}' in ('any', this_database()))
$$;
comment on function millrace.is_copied_database() is 'Whether this database is a copy that nobody has enabled.';
