-- The public key by which a token is checked, while it is taken; and none where the API key or the person by whom the token was made is no longer let in,
-- so that a token never outlives them; nor does one that sees payloads outlive their right to see them.
create or replace function millrace.find_token_key(
  id uuid, made_by_key uuid default null, made_by_person uuid default null, sees_payloads boolean default false) returns jsonb
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
declare
  at timestamptz := millrace.now();
begin
  if made_by_key is not null and not exists (
    select from api_key k cross join lateral key_owner(k, at) o where k.id = made_by_key and o.is_live and (not sees_payloads or k.payloads and o.payloads)) then
    return null;
  end if;
  if made_by_person is not null and not exists (select from person p where p.id = made_by_person and p.disabled_at is null and (not sees_payloads or p.payloads)) then
    return null;
  end if;
  return (select t.public_key from token_key t where t.id = find_token_key.id and t.expires_at > at);
end $$;
comment on function millrace.find_token_key(uuid, uuid, uuid, boolean) is 'The public key by which a token is checked, while it and whoever made the token are taken.';
