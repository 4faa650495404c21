-- The keys of which something is to be said, the one that ends first at the head: by name and prefix alone, so that whoever may look after the
-- installation sees them.
create or replace function millrace.list_key_warnings(most int default 100)
returns table (name text, prefix text, expires_at timestamptz, warning text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select case when k.service_account is null then k.name else k.service_account || '/' || k.name end, k.prefix, k.expires_at, key_warning(k, at)
      from api_key k
     where k.expires_at > at and k.replaced_at is null and key_warning(k, at) is not null
     order by k.expires_at
     limit greatest(1, least(most, 1000));
end $$;
comment on function millrace.list_key_warnings(int) is 'The keys that end soon or are older than keys should become, and that nobody has replaced.';
