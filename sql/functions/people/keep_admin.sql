-- Refuses a change that would leave no admin who can sign in. Whoever takes one away waits here for whoever does so at the same time.
create or replace function millrace.keep_admin(person_id uuid) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(hashtextextended('millrace.admins', 0));
  if not millrace.has_admin(keep_admin.person_id) then
    raise exception 'This is the last admin who can sign in.'
      using errcode = 'MR157', hint = 'Make somebody else an admin first.';
  end if;
end $$;
comment on function millrace.keep_admin(uuid) is 'Refuses a change that would leave no admin who can sign in.';
