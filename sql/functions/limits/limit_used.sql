-- How many held tasks have a limit among their holds: what it has counted, less the ends that no claim has counted yet.
create or replace function millrace.limit_used(state millrace.limit_state) returns int
language sql stable
as $$
  select state.used - case when state.folded is null then 0 else greatest(millrace.ended_of(state.id) - state.folded, 0)::int end
$$;
comment on function millrace.limit_used(millrace.limit_state) is 'How many held tasks have a limit among their holds.';
