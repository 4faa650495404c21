-- Who is signed in by a session, which is used by that (see read_session). That it was used is written once a minute.
create or replace function millrace.find_session(token_hash text, idle_seconds int)
returns table (session_id uuid, person_id uuid, email text, name text, role text, payloads boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_session record;
begin
  select * into found_session from read_session(find_session.token_hash, find_session.idle_seconds);
  if not found then
    return;
  end if;
  if found_session.used_at < at - interval '1 minute' then
    update person_session s set seen_at = at where s.id = found_session.session_id;
  end if;
  return query
    select found_session.session_id, found_session.person_id, found_session.email, found_session.name, found_session.role, found_session.payloads;
end $$;
comment on function millrace.find_session(text, int) is 'Who is signed in by a session that has not ended.';
