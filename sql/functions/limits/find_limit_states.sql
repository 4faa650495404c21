-- The ids of the states of rules and keys, in the order given; made first where there are none yet, but for who is not patient: then they are null.
-- Looked up one by one: no statistics lead the planner to read all the keys of a rule.
create or replace function millrace.find_limit_states(rule_ids int[], keys text[], patient boolean, at timestamptz) returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
begin
  if patient then
    insert into limit_state (rule_id, key, changed_at)
    select distinct u.rule_id, u.key collate "C", at from unnest(rule_ids, keys) u(rule_id, key) order by 1, 2
        on conflict do nothing;
  end if;
  return array(
    select (select s.id from limit_state s where s.rule_id = u.rule_id and s.key = u.key)
      from unnest(rule_ids, keys) with ordinality u(rule_id, key, n) order by u.n);
end $$;
comment on function millrace.find_limit_states(int[], text[], boolean, timestamptz) is 'The ids of the states of rules and keys, made where there are none.';
