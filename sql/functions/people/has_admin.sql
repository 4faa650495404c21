-- Whether there is an admin who can sign in, besides one if they are named.
create or replace function millrace.has_admin(besides uuid default null) returns boolean
language sql stable
as $$
  select exists (
    select from millrace.person p
     where p.role = 'admin' and p.disabled_at is null and p.id is distinct from has_admin.besides
       and exists (select from millrace.person_account a where a.person_id = p.id))
$$;
comment on function millrace.has_admin(uuid) is 'Whether there is an admin who can sign in.';
