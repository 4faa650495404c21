-- Who is signed in by a session that has not ended: neither at its end, nor for want of use, nor with the person. To read it is no use of it: used_at
-- stays where it was.
create or replace function millrace.read_session(token_hash text, idle_seconds int)
returns table (session_id uuid, person_id uuid, email text, name text, role text, payloads boolean, used_at timestamptz)
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select s.id, p.id, p.email, p.name, p.role, p.payloads, coalesce(s.seen_at, s.created_at)
    from person_session s join person p on p.id = s.person_id
   where s.token_hash = read_session.token_hash and p.disabled_at is null and s.expires_at > millrace.now()
     and coalesce(s.seen_at, s.created_at) + make_interval(secs => read_session.idle_seconds) > millrace.now()
$$;
comment on function millrace.read_session(text, int) is 'Who is signed in by a session that has not ended, without using it.';
