-- How many ready tasks lie in the lanes of a rule: at most 10,000.
create or replace function millrace.count_in_lanes(rule_id int) returns bigint
language sql stable
as $$
  select count(*)
    from (select
            from (select distinct l.handler from millrace.limited_step l where l.rule_id = count_in_lanes.rule_id) h
            join millrace.task t on t.handler = h.handler and t.worker_id is null and t.turn_key is null
           limit 10000) counted
$$;
comment on function millrace.count_in_lanes(int) is 'How many ready tasks lie in the lanes of a rule, at most 10,000.';
