-- A new link for somebody: to begin, where they have never signed in, else to set another password. What they have stays valid until it is used.
create or replace function millrace.link_person(person_id uuid, link_id uuid, token_hash text, lifetime_seconds int) returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_person person := take_person(link_person.person_id);
begin
  if found_person.disabled_at is not null then
    raise exception '% is disabled, and gets no link.', found_person.email
      using errcode = 'MR159', hint = 'Enable them first: npx millrace user enable ' || found_person.email;
  end if;
  return write_link(found_person.id,
    case when exists (select from person_account a where a.person_id = found_person.id) then 'reset' else 'invitation' end,
    link_person.link_id, link_person.token_hash, link_person.lifetime_seconds, millrace.now());
end $$;
comment on function millrace.link_person(uuid, uuid, text, int) is 'A new link for somebody, by which they set a password.';
