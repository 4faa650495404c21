-- Revokes a key: every server refuses it within a second, because none remembers one for longer. False where it was revoked already.
create or replace function millrace.revoke_api_key(id uuid, reason text default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  was_revoked boolean;
begin
  select k.revoked_at is not null into was_revoked from api_key k where k.id = revoke_api_key.id for update;
  if not found then
    raise exception 'There is no key %.', revoke_api_key.id using errcode = 'MR150', hint = 'List the keys with: npx millrace key list';
  end if;
  if was_revoked then
    return false;
  end if;
  update api_key k set revoked_at = at, revoked_by = actor(), revoked_because = left(reason, 1000) where k.id = revoke_api_key.id;
  return true;
end $$;
comment on function millrace.revoke_api_key(uuid, text) is 'Revokes a key; false where it was revoked already.';
