-- Whether a failure is sure to pass by itself: locks, races, a server without room, or one that is going down. What else is taken for passing may as
-- well be for good, as a damaged row is: who tries that again needs a bound.
create or replace function millrace.is_sure_to_pass(state text) returns boolean
language sql immutable
as $$
  select left(state, 2) in ('40', '53', '57') or state = '55P03'
$$;
comment on function millrace.is_sure_to_pass(text) is 'Whether a failure is sure to pass by itself.';
