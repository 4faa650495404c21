-- The sentence on a ready task that has no room under a limit and waits where it is (see claim_in_lanes).
create or replace function millrace.tell_lane_limit(task_id bigint, subject text, at timestamptz)
returns table (sentence text, due_at timestamptz)
language sql stable
as $$
  select l.sentence, l.due_at
    from millrace.task t
    join millrace.limit_state s on s.id = millrace.lane_limit(t.handler)
   cross join lateral millrace.tell_limit_state(s, millrace.count_before(t, s.rule_id, tell_lane_limit.at), t.ready_at, null, tell_lane_limit.subject, tell_lane_limit.at) l
   where t.id = tell_lane_limit.task_id
$$;
comment on function millrace.tell_lane_limit(bigint, text, timestamptz) is 'The sentence on a ready task that has no room under a limit and waits where it is.';
