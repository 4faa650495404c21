-- API keys without their digests, the newest first: what each may do, how it stands, and when it was used last.
create or replace function millrace.list_api_keys(
  before uuid default null, most int default 100, only_id uuid default null, only_account text default null, only_live boolean default false)
returns table (id uuid, name text, prefix text, role text, scopes text[], tenant text, pipelines text[], payloads boolean, agent text,
               requests_per_hour int, service_account text, person_id uuid, replaces uuid, created_at timestamptz, created_by text,
               expires_at timestamptz, replaced_at timestamptz, revoked_at timestamptz, revoked_by text, revoked_because text,
               used_at timestamptz, used_from text, is_live boolean, warning text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select k.id, k.name, k.prefix, k.role, k.scopes, k.tenant, k.pipelines, k.payloads, k.agent, k.requests_per_hour, k.service_account,
           k.person_id, k.replaces, k.created_at, k.created_by, k.expires_at, k.replaced_at, k.revoked_at, k.revoked_by, k.revoked_because,
           u.used_at, u.used_from, o.is_live, key_warning(k, at)
      from api_key k
      cross join lateral key_owner(k, at) o
      left join api_key_use u on u.key_id = k.id
     where (list_api_keys.before is null or k.id < list_api_keys.before)
       and (only_id is null or k.id = only_id)
       and (only_account is null or k.service_account = only_account)
       and (o.is_live or not only_live)
     order by k.id desc
     limit greatest(1, least(most, 1001));
end $$;
comment on function millrace.list_api_keys(uuid, int, uuid, text, boolean) is 'API keys without their digests, the newest first.';
