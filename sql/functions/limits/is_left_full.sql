-- Whether a claim has left ready tasks for want of room under a rule without keys (see claim_in_lanes), and there still is none.
create or replace function millrace.is_left_full(state millrace.limit_state, capacity int) returns boolean
language sql stable
as $$
  select state.left_at is not null and (coalesce(state.held_until > millrace.now(), false) or millrace.limit_used(state) >= is_left_full.capacity)
$$;
comment on function millrace.is_left_full(millrace.limit_state, int) is 'Whether a claim has left ready tasks for want of room, and there still is none.';
