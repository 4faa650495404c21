-- Sets the password that a link is for, and ends the link and all sessions of whose it is. The first admin comes into being here, with the
-- address and the name that are given, if there is no other one by now. Answers whose it was.
create or replace function millrace.use_link(token_hash text, password text, account_id uuid, person_id uuid, email text default null, name text default null)
returns uuid
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  used person_link;
begin
  select l.* into used from person_link l where l.token_hash = use_link.token_hash;
  -- Whose it is comes first, as with all that changes somebody: so that no two wait for each other.
  if used.purpose = 'first_admin' then
    perform pg_advisory_xact_lock(hashtextextended('millrace.admins', 0));
  else
    perform from person p where p.id = used.person_id for update;
  end if;
  -- Of two that use it at once, the second finds none.
  delete from person_link l where l.token_hash = use_link.token_hash and l.expires_at > at returning l.* into used;
  if not found or used.purpose = 'first_admin' and has_admin() then
    raise exception 'This link was used or replaced, or has expired.'
      using errcode = 'MR158', hint = 'Ask an admin for another one.';
  end if;
  if used.purpose = 'first_admin' then
    insert into person (id, email, name, role, payloads, created_at, created_by, updated_at)
    values (use_link.person_id, lower(use_link.email), coalesce(use_link.name, use_link.email), 'admin', true, at, actor(), at)
        on conflict (email) do update
       set role = 'admin', payloads = true, disabled_at = null, disabled_by = null, revision = person.revision + 1, updated_at = excluded.updated_at
    returning id into used.person_id;
  else
    update person p set name = coalesce(use_link.name, p.name), updated_at = at where p.id = used.person_id;
  end if;
  perform write_password(used.person_id, use_link.password, use_link.account_id, at);
  delete from person_session s where s.person_id = used.person_id;
  return used.person_id;
end $$;
comment on function millrace.use_link(text, text, uuid, uuid, text, text) is 'Sets the password that a link is for, and ends the link.';
