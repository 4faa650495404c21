-- The stored values of secrets that are encrypted with another key than this one.
create or replace function millrace.read_sealed_secrets(key text)
returns table (name text, version int, value jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  return query
    select v.name, v.version, v.value from secret_version v where has_other_key(v.value, read_sealed_secrets.key) order by v.name, v.version;
end $$;
comment on function millrace.read_sealed_secrets(text) is 'The stored values of secrets that are encrypted with another key than this one.';
