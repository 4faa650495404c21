-- Whether a start that fails so is its schedule's alone, which is tried again later and keeps none of the others: it waits for an open transaction, or meets
-- what may pass by itself and may as well be for good, as a damaged row is. After a race, or on a server that is going down, all is tried again.
create or replace function millrace.is_tried_alone(state text) returns boolean
language sql immutable
as $$
  select millrace.is_passing_fault(is_tried_alone.state) and left(is_tried_alone.state, 2) not in ('40', '57')
$$;
comment on function millrace.is_tried_alone(text) is 'Whether a schedule whose start fails so is tried again alone.';
