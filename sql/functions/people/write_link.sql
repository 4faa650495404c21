-- The one open link of a person, or of the first admin, in the place of the one before. Answers when it expires.
create or replace function millrace.write_link(person_id uuid, purpose text, link_id uuid, token_hash text, lifetime_seconds int, at timestamptz)
returns timestamptz
language plpgsql
as $$
#variable_conflict use_column
declare
  expiry timestamptz := write_link.at + make_interval(secs => write_link.lifetime_seconds);
begin
  insert into millrace.person_link (id, person_id, purpose, token_hash, created_at, created_by, expires_at)
  values (write_link.link_id, write_link.person_id, write_link.purpose, write_link.token_hash, write_link.at, millrace.actor(), expiry)
      on conflict (person_id) do update
     set id = excluded.id, purpose = excluded.purpose, token_hash = excluded.token_hash, created_at = excluded.created_at,
         created_by = excluded.created_by, expires_at = excluded.expires_at;
  return expiry;
end $$;
comment on function millrace.write_link(uuid, text, uuid, text, int, timestamptz) is 'The one open link of a person, in the place of the one before.';
