-- The value at a path into the input; $tenant is the run's tenant, $item leads into the item of a map. Null where there is none.
create or replace function millrace.limit_value(path text[], input jsonb, item_value jsonb, tenant text) returns jsonb
language sql immutable
as $$
  select coalesce(case path[1] when '$tenant' then to_jsonb(tenant) when '$item' then item_value #> path[2:] else millrace.clear_input(input) #> path end, 'null')
$$;
comment on function millrace.limit_value(text[], jsonb, jsonb, text) is 'The value at a path into the input, the tenant, or the item of a task.';
