-- Who acts, as it is kept in history: the login, and before it the person or key in whose name it says to act. A login that may run SQL may say
-- anything there, but never hides itself.
create or replace function millrace.actor() returns text
language sql stable
as $$
  select coalesce(nullif(left(current_setting('millrace.actor', true), 200), '') || ' via ', '') || session_user
$$;
comment on function millrace.actor() is 'Who acts: the login, and in whose name it says to act.';
