-- Says of each rule whether what it stops may stay where it is ready (see claim_in_lanes): it counts how many run, without keys, and its handlers have no
-- step that it does not hold for, or that another rule holds for as well. So who waits there is in nobody's way.
create or replace function millrace.place_limits() returns void
language sql
as $$
  with placed as (
    update millrace.limit_rule k
       set in_lanes = not k.in_lanes
      from (select r.id, r.kind = 'concurrency' and r.key_paths = '[]' and r.strategy = 'wait' and r.fifo is null
                   and not exists (
                     select from millrace.limited_step l
                       join millrace.step_definition d on d.handler = l.handler
                       left join millrace.limited_step o on o.step_id = d.id
                      where l.rule_id = r.id and o.rule_id is distinct from r.id) as in_lanes
              from millrace.limit_rule r) wanted
     where k.id = wanted.id and k.in_lanes is distinct from wanted.in_lanes
    returning k.id, k.in_lanes
  )
  update millrace.limit_state s set left_at = null
    from placed p where not p.in_lanes and s.rule_id = p.id and s.key = '' and s.left_at is not null
$$;
comment on function millrace.place_limits() is 'Says of each rule whether what it stops may stay where it is ready.';
