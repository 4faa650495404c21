-- A link by which the first admin begins, in the place of the one before; null, and none, where there is an admin who can sign in.
create or replace function millrace.offer_first_admin(link_id uuid, token_hash text, lifetime_seconds int) returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(hashtextextended('millrace.admins', 0));
  if has_admin() then
    return null;
  end if;
  return write_link(null, 'first_admin', offer_first_admin.link_id, offer_first_admin.token_hash, offer_first_admin.lifetime_seconds, millrace.now());
end $$;
comment on function millrace.offer_first_admin(uuid, text, int) is 'A link by which the first admin begins, where there is none yet.';
