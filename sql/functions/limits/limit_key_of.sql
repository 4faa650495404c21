-- The key of a task under a rule. A claim writes this out for the commonest keys, because it asks for each task.
create or replace function millrace.limit_key_of(rule millrace.limit_rule, input jsonb, item_value jsonb, tenant text) returns text
language sql immutable
as $$
  select millrace.composed_key(rule.key_paths, input, item_value, tenant)
$$;
comment on function millrace.limit_key_of(millrace.limit_rule, jsonb, jsonb, text) is 'The key of a task under a rule.';
