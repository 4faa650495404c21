-- The sessions of somebody that have not ended, the newest first: they are a bounded number.
create or replace function millrace.list_sessions(person_id uuid, idle_seconds int)
returns table (id uuid, created_at timestamptz, seen_at timestamptz, expires_at timestamptz, address text, user_agent text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select s.id, s.created_at, coalesce(s.seen_at, s.created_at), s.expires_at, s.address, s.user_agent
      from person_session s
     where s.person_id = list_sessions.person_id and s.expires_at > at
       and coalesce(s.seen_at, s.created_at) + make_interval(secs => list_sessions.idle_seconds) > at
     order by s.created_at desc, s.id limit 100;
end $$;
comment on function millrace.list_sessions(uuid, int) is 'The sessions of somebody that have not ended.';
