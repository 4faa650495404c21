-- Where a secret lies, with its encrypted value where that is our own table: what a worker needs to read it.
create or replace function millrace.find_secret(name text)
returns table (source text, reference text, version int, value jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  return query
    select s.source, s.reference, s.version, v.value
      from secret s left join secret_version v on v.name = s.name and v.version = s.version and s.source = 'table'
     where s.name = find_secret.name;
end $$;
comment on function millrace.find_secret(text) is 'Where a secret lies, with its encrypted value where that is our own table.';
