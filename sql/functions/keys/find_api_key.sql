-- The key of a prefix that is taken now, as the server compares it: with its digest, and with the role that it has at present, which is never above that
-- of its service account or person. Nothing for one that is expired, revoked, or whose owner is disabled, so that nobody learns which.
create or replace function millrace.find_api_key(prefix text)
returns table (id uuid, name text, digest bytea, role text, scopes text[], tenant text, pipelines text[], payloads boolean, agent text,
               requests_per_hour int, service_account text, expires_at timestamptz, warning text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select k.id, k.name, k.digest, o.role, k.scopes, k.tenant, k.pipelines, k.payloads and o.payloads, k.agent, k.requests_per_hour,
           k.service_account, k.expires_at, key_warning(k, at)
      from api_key k cross join lateral key_owner(k, at) o
     where k.prefix = find_api_key.prefix and o.is_live;
end $$;
comment on function millrace.find_api_key(text) is 'The key of a prefix that is taken now, with its digest and its present role.';
