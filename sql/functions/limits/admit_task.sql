-- Judges one task, which the caller has locked, by the rules that hold for its step, as a claim does: with what it takes where it may begin. Where
-- it may not, it has been moved to where it waits, if the rule does not leave it where it is (see claim_in_lanes). A breaker that is closed is as good as none.
create or replace function millrace.admit_task(told millrace.task, at timestamptz)
returns table (admitted boolean, holds bigint[])
language plpgsql
as $$
#variable_conflict use_column
declare
  order_id int := (select k.id from limited_step l join limit_rule k on k.id = l.rule_id where l.step_id = told.step_id and k.fifo is not null);
  rule_ids int[];
  keys text[];
  costs float8[];
  states bigint[];
  lane record;
begin
  select array_agg(q.id order by q.turn, q.unit_ms desc nulls last, q.id), array_agg(q.key order by q.turn, q.unit_ms desc nulls last, q.id), array_agg(q.cost order by q.turn, q.unit_ms desc nulls last, q.id)
    into rule_ids, keys, costs
    from (select k.id, k.kind, k.unit_ms, composed_key(k.key_paths, u.input, told.item_value, u.tenant) as key,
                 case when k.kind = 'rate' then k.unit_ms * case when k.units_path is null then 1 else limit_units(k.units_path, k.burst, u.input, told.item_value, u.tenant) end end as cost,
                 case k.kind when 'breaker' then 1 when 'rate' then 3 else 2 end as turn
            from limited_step l join limit_rule k on k.id = l.rule_id join run u on u.id = told.run_id
           where l.step_id = told.step_id) q
   where q.kind not in ('breaker', 'fairness')
      or exists (select from limit_state s where q.kind = 'breaker' and s.rule_id = q.id and s.key = q.key and (s.open_until is not null or s.held_until > at));
  if rule_ids is null then
    admitted := true;
    return next;
    return;
  end if;
  -- Beside other rules all states of the task are locked first, in the order of their ids, and those of others in its strict order only where they can be had at once.
  if order_id is not null and cardinality(rule_ids) > 1 then
    states := find_limit_states(rule_ids, keys, true, at);
    perform lock_limit_states(array(select distinct i from unnest(states) i order by i), true);
    perform line_up(order_id, at, told.handler, false);
  elsif order_id is not null then
    perform line_up_tasks(order_id, at, told.handler);
  end if;
  -- Under such a rule a place that has come free is kept for two seconds for who is ready before it and has a worker (see claim_in_lanes).
  select k.id as rule_id, k.name, s.id as state_id, left_until(s) as left_until, greatest(s.changed_at, left_until(s)) > at - interval '2 seconds' as is_kept,
         greatest(k.capacity - limit_used(s), 0) as free into lane
    from limit_rule k join limit_state s on s.rule_id = k.id and s.key = ''
   where k.id = any (rule_ids) and k.in_lanes and s.left_at is not null;
  if lane.is_kept and lane.free <= count_before(told, lane.rule_id, at) then
    admitted := false;
    return next;
    return;
  end if;
  states := find_limit_states(rule_ids, keys, true, at);
  select true, t.holds::bigint[] into admitted, holds
    from take_limits(array_fill(told.id, array[cardinality(states)]), states, costs, 1, true, at) t;
  admitted := coalesce(admitted, false);
  if admitted and told.ready_at <= lane.left_until then
    insert into event (run_id, at, actor, kind, step, item, attempt, detail)
    select told.run_id, told.ready_at, 'limit', 'limit.waited', d.step, told.item, told.attempt + 1, jsonb_build_object('limit', lane.name, 'key', '')
      from step_definition d where d.id = told.step_id;
  end if;
  if admitted and lane.free > 1 then
    update limit_state s set left_at = null where s.id = lane.state_id;
  end if;
  return next;
end $$;
comment on function millrace.admit_task(millrace.task, timestamptz) is 'Judges one task by the rules that hold for its step.';
