-- Lets somebody sign in from now on: writes them down with a role, and the link by which they set a password. Answers when the link expires.
create or replace function millrace.invite_person(
  person_id uuid, email text, name text, role text, payloads boolean, link_id uuid, token_hash text, lifetime_seconds int)
returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known uuid;
begin
  insert into person (id, email, name, role, payloads, created_at, created_by, updated_at)
  values (invite_person.person_id, lower(invite_person.email), invite_person.name, invite_person.role, invite_person.payloads, at, actor(), at)
      on conflict (email) do nothing returning id into known;
  if not found then
    raise exception 'There is somebody with the address ''%'' already.', lower(invite_person.email)
      using errcode = 'MR156', hint = 'Change them, or give them a new link, instead: npx millrace user list',
            detail = jsonb_build_object('email', lower(invite_person.email))::text;
  end if;
  return write_link(known, 'invitation', invite_person.link_id, invite_person.token_hash, invite_person.lifetime_seconds, at);
end $$;
comment on function millrace.invite_person(uuid, text, text, text, boolean, uuid, text, int) is 'Writes somebody down with a role, and the link by which they set a password.';
