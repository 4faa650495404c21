-- Makes a key that may do what another one may and comes in its place: both are taken until the overlap is over, so that nothing stands still while the
-- new one is handed out. A key is replaced once: of two who rotate it at a time one is refused, since nobody could tell which new key is the right one.
create or replace function millrace.rotate_api_key(
  id uuid, new_id uuid, prefix text, digest bytea, overlap_seconds bigint, lives_seconds bigint default null)
returns table (expires_at timestamptz, old_expires_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  old api_key;
begin
  if (overlap_seconds between 0 and 2592000) is not true then
    perform refuse_argument('overlap_seconds', 'from 0 to 2,592,000, which is 30 days', overlap_seconds::text);
  end if;
  select k.* into old from api_key k where k.id = rotate_api_key.id for update;
  if not found then
    raise exception 'There is no key %.', rotate_api_key.id using errcode = 'MR150', hint = 'List the keys with: npx millrace key list';
  end if;
  if old.replaced_at is not null or not (key_owner(old, at)).is_live then
    raise exception 'Key % is not rotated: it is %.', old.prefix,
      case when old.revoked_at is not null then 'revoked' when old.expires_at <= at then 'expired'
           when old.replaced_at is not null then 'replaced already' else 'of somebody who is disabled' end
      using errcode = 'MR151', hint = 'Rotate the key that replaced it, or create a new one: npx millrace key list shows them.';
  end if;
  expires_at := at + key_life(lives_seconds);
  old_expires_at := least(old.expires_at, at + make_interval(secs => overlap_seconds));
  -- One that ends at once is revoked, because it ends no earlier than it began.
  update api_key k
     set replaced_at = at, expires_at = greatest(old_expires_at, k.created_at + interval '1 microsecond'),
         revoked_at = case when overlap_seconds = 0 then at end, revoked_by = case when overlap_seconds = 0 then actor() end,
         revoked_because = case when overlap_seconds = 0 then 'replaced without an overlap' end
   where k.id = old.id;
  if exists (select from api_key k where k.id = rotate_api_key.new_id or k.prefix = rotate_api_key.prefix) then
    perform refuse_argument('prefix', 'one that no key has', quote_literal(rotate_api_key.prefix));
  end if;
  insert into api_key (id, name, prefix, digest, role, scopes, tenant, pipelines, payloads, agent, requests_per_hour, service_account, person_id,
                       replaces, created_at, created_by, expires_at)
  values (rotate_api_key.new_id, old.name, rotate_api_key.prefix, rotate_api_key.digest, old.role, old.scopes, old.tenant, old.pipelines,
          old.payloads, old.agent, old.requests_per_hour, old.service_account, old.person_id, old.id, at, actor(), rotate_api_key.expires_at);
  return next;
end $$;
comment on function millrace.rotate_api_key(uuid, uuid, text, bytea, bigint, bigint) is 'Makes a key that comes in the place of another one; both are taken until the overlap is over.';
