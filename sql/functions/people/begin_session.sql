-- Writes a session down, where the person may sign in; else nothing, and nothing comes. Their sessions are a bounded number: what has ended goes, and
-- of the others the oldest. Who signed in by a password tells the hash that it was compared with: where that is no longer the stored one, the password
-- was changed meanwhile, and its sessions with it.
create or replace function millrace.begin_session(
  session_id uuid, person_id uuid, token_hash text, address text, user_agent text, lifetime_seconds int, most int default 20,
  password text default null)
returns table (created_at timestamptz, expires_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  their_email text;
begin
  -- Locked, so that a session never begins beside the end of all of them.
  select p.email into their_email from person p where p.id = begin_session.person_id and p.disabled_at is null for no key update;
  if not found or begin_session.password is not null and not exists (
    select from person_account a where a.person_id = begin_session.person_id and a.provider = 'credential' and a.password = begin_session.password) then
    return;
  end if;
  -- It is they who act: the audit trail tells it so.
  perform set_config('millrace.actor', their_email, true),
          set_config('millrace.request', jsonb_strip_nulls(jsonb_build_object('kind', 'person', 'id', begin_session.person_id, 'address', begin_session.address,
            'user_agent', begin_session.user_agent))::text, true);
  delete from person_session s
   where s.person_id = begin_session.person_id
     and (s.expires_at <= at
       or s.id in (select o.id from person_session o where o.person_id = begin_session.person_id and o.expires_at > at
                    order by o.created_at desc, o.id offset greatest(begin_session.most - 1, 0)));
  return query
    insert into person_session as s (id, person_id, token_hash, address, user_agent, created_at, updated_at, expires_at)
    values (begin_session.session_id, begin_session.person_id, begin_session.token_hash, begin_session.address, left(begin_session.user_agent, 200),
            at, at, at + make_interval(secs => begin_session.lifetime_seconds))
    returning s.created_at, s.expires_at;
end $$;
comment on function millrace.begin_session(uuid, uuid, text, text, text, int, int, text) is 'Writes a session down, where the person may sign in.';
