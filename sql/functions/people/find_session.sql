-- Who is signed in by a session that has not ended: neither at its end, nor for want of use, nor with the person. That it was used is written once
-- a minute.
create or replace function millrace.find_session(token_hash text, idle_seconds int)
returns table (session_id uuid, person_id uuid, email text, name text, role text, payloads boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_session person_session;
begin
  select s.* into found_session from person_session s where s.token_hash = find_session.token_hash;
  if not found or found_session.expires_at <= at
     or coalesce(found_session.seen_at, found_session.created_at) + make_interval(secs => find_session.idle_seconds) <= at then
    return;
  end if;
  if coalesce(found_session.seen_at, found_session.created_at) < at - interval '1 minute' then
    update person_session s set seen_at = at where s.id = found_session.id;
  end if;
  return query
    select found_session.id, p.id, p.email, p.name, p.role, p.payloads from person p where p.id = found_session.person_id and p.disabled_at is null;
end $$;
comment on function millrace.find_session(text, int) is 'Who is signed in by a session that has not ended.';
