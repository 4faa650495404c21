-- Whether a failure passes by itself, so that the same is tried again as it is: locks, races, a server without room, or one that is going down.
create or replace function millrace.is_passing_fault(state text) returns boolean
language sql immutable
as $$
  select left(state, 2) in ('40', '53', '55', '57', '58', 'XX')
$$;
comment on function millrace.is_passing_fault(text) is 'Whether a failure passes by itself.';
