-- The state of the limit that the ready tasks of a handler wait for where they are (see claim_in_lanes). Null where they wait for none.
create or replace function millrace.lane_limit(handler int) returns bigint
language sql stable
as $$
  select s.id
    from millrace.limited_step l
    join millrace.limit_rule k on k.id = l.rule_id and k.in_lanes
    join millrace.limit_state s on s.rule_id = k.id and s.key = ''
   where l.handler = lane_limit.handler and millrace.is_left_full(s, k.capacity)
   limit 1
$$;
comment on function millrace.lane_limit(int) is 'The state of the limit that the ready tasks of a handler wait for where they are.';
