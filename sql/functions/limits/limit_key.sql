-- The key of a task under a rule: most often the text at one path, which the planner reads in place of this function.
create or replace function millrace.limit_key(key_paths jsonb, input_path text[], input jsonb, item_value jsonb, tenant text) returns text
language sql immutable
as $$
  select case when key_paths is null or key_paths = '[]' then ''
              when input_path = '{$tenant}' and length(coalesce(tenant, 'null')) <= 200 then coalesce(tenant, 'null')
              when length(input #>> input_path) <= 200 then input #>> input_path
              else millrace.composed_key(key_paths, input, item_value, tenant) end collate "C"
$$;
comment on function millrace.limit_key(jsonb, text[], jsonb, jsonb, text) is 'The key of a task under a rule.';
