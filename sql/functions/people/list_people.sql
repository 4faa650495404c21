-- People by address, behind the one where the page before ended; or one of them, by id or address. Nothing that signs them in.
create or replace function millrace.list_people(after text default null, most int default 100, named text default null)
returns table (id uuid, email text, name text, role text, payloads boolean, revision int, created_at timestamptz, disabled_at timestamptz, disabled_by text,
               has_account boolean, session_count int, seen_at timestamptz, link_purpose text, link_expires_at timestamptz)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select p.id, p.email, p.name, p.role, p.payloads, p.revision, p.created_at, p.disabled_at, p.disabled_by,
           exists (select from person_account a where a.person_id = p.id), s.session_count, s.seen_at, l.purpose, l.expires_at
      from person p
     cross join lateral (
       select count(*)::int as session_count, max(coalesce(s.seen_at, s.created_at)) as seen_at
         from person_session s where s.person_id = p.id and s.expires_at > at) s
      left join person_link l on l.person_id = p.id and l.expires_at > at
     where (list_people.after is null or p.email > list_people.after)
       and (list_people.named is null or p.email = lower(list_people.named) or p.id::text = lower(list_people.named))
     order by p.email limit list_people.most;
end $$;
comment on function millrace.list_people(text, int, text) is 'People by address, or one of them, without anything that signs them in.';
