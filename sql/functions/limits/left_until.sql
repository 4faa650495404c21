-- Until when ready tasks were left for want of room under a rule without keys (see claim_in_lanes): what was ready by then has waited for it. Null where none were left.
create or replace function millrace.left_until(state millrace.limit_state) returns timestamptz
language sql stable
as $$
  select case when state.left_at is not null
              then greatest(state.left_at, state.changed_at, (select max(e.ended_at) from millrace.limit_end e where e.state_id = state.id)) end
$$;
comment on function millrace.left_until(millrace.limit_state) is 'Until when ready tasks were left for want of room under a rule without keys.';
