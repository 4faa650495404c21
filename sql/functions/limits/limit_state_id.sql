-- The id of what a rule counts for a key, worked out of both: so a claim knows the states that it needs, and their order, without looking them up. Where
-- another state should ever have it already, the one that comes later gets a second choice, and is found by its rule and key (see find_limit_states).
create or replace function millrace.limit_state_id(rule_id int, key text, choice int default 0) returns bigint
language sql immutable parallel safe
as $$
  select (hashtextextended(key, rule_id + 4294967296 * choice) & 9223372036854775806) + 1
$$;
comment on function millrace.limit_state_id(int, text, int) is 'The id of what a rule counts for a key.';
