-- What a link is for, before it is used. Nothing comes for one that was used, replaced, or has expired.
create or replace function millrace.show_link(token_hash text) returns table (purpose text, email text, name text, expires_at timestamptz)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  return query
    select l.purpose, p.email, p.name, l.expires_at from person_link l left join person p on p.id = l.person_id
     where l.token_hash = show_link.token_hash and l.expires_at > at;
end $$;
comment on function millrace.show_link(text) is 'What a link is for, before it is used.';
