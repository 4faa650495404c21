-- Another password for somebody who knows the one before, of which the hash is told: of two changes at once, the second finds another one.
-- All their sessions end but the one in which they do it; their link is void. False where the hash is no longer the stored one.
create or replace function millrace.set_password(person_id uuid, password_before text, password text, account_id uuid, kept_session uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_person person := take_person(set_password.person_id);
begin
  if not exists (
    select from person_account a where a.person_id = found_person.id and a.provider = 'credential' and a.password = set_password.password_before) then
    return false;
  end if;
  perform write_password(found_person.id, set_password.password, set_password.account_id, millrace.now());
  delete from person_session s where s.person_id = found_person.id and s.id <> set_password.kept_session;
  delete from person_link l where l.person_id = found_person.id;
  return true;
end $$;
comment on function millrace.set_password(uuid, text, text, uuid, uuid) is 'Another password for somebody who knows the one before.';
