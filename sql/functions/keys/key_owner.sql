-- Whether a key is taken at a time, and what it may do at most by whose key it is. The keys of a disabled
-- service account, or of a disabled person, are not taken.
create or replace function millrace.key_owner(k millrace.api_key, at timestamptz, out is_live boolean, out role text, out payloads boolean)
language plpgsql stable
as $$
declare
  account millrace.service_account;
  owner millrace.person;
begin
  is_live := k.revoked_at is null and k.expires_at > at;
  role := k.role;
  payloads := true;
  if k.service_account is not null then
    select a.* into account from millrace.service_account a where a.name = k.service_account;
    is_live := is_live and account.disabled_at is null;
    role := millrace.lower_role(k.role, account.role);
  end if;
  if k.person_id is not null then
    select p.* into owner from millrace.person p where p.id = k.person_id;
    is_live := is_live and owner.disabled_at is null;
    role := millrace.lower_role(k.role, owner.role);
    payloads := owner.payloads;
  end if;
end $$;
comment on function millrace.key_owner(millrace.api_key, timestamptz) is 'Whether a key is taken at a time, and what it may do at most by whose key it is.';
