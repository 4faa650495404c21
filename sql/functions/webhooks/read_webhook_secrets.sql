-- Where the secrets of a webhook lie, with their encrypted values where that is our own table: of each the current version, and the one before it
-- while its overlap lasts.
create or replace function millrace.read_webhook_secrets(names text[])
returns table (name text, source text, reference text, version int, value jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select s.name, s.source, s.reference, coalesce(v.version, s.version), v.value
      from secret s
      left join secret_version v
        on v.name = s.name and s.source = 'table' and (v.version = s.version or (v.version = s.version - 1 and v.valid_until > at))
     where s.name = any (read_webhook_secrets.names)
     order by s.name, v.version desc;
end $$;
comment on function millrace.read_webhook_secrets(text[]) is 'Where the secrets of a webhook lie: the current versions, and former ones while their overlap lasts.';
