-- The role that asks, also inside a function that has the rights of its owner: the one taken by set role, which takes membership, or that of the login.
create or replace function millrace.asking_role() returns name
language sql stable
as $$
  select coalesce(nullif(current_setting('role'), 'none'), session_user)::name
$$;
comment on function millrace.asking_role() is 'The role that asks, also inside a function that has the rights of its owner.';
