-- The definition of a step with the retry policy that counts for an error: that of its first rule whose pattern is the error's code, its name or
-- one of its classes. So everybody gets the same delays, whatever language reported the failure.
create or replace function millrace.retry_policy(definition millrace.step_definition, error jsonb) returns millrace.step_definition
language plpgsql immutable
as $$
declare
  rule jsonb;
  names text[];
begin
  if definition.retry_rules is null then
    return definition;
  end if;
  names := array[error ->> 'code', error ->> 'name']
        || case when jsonb_typeof(error -> 'classes') = 'array' then array(select jsonb_array_elements_text(error -> 'classes')) else '{}' end;
  for rule in select jsonb_array_elements(definition.retry_rules) loop
    if exists (select from unnest(names) name
                where name like replace(replace(replace(replace(rule ->> 'error', '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')) then
      definition.max_attempts := coalesce((rule -> 'max_attempts')::int, definition.max_attempts);
      definition.backoff_initial_ms := coalesce((rule #> '{backoff,initial_ms}')::float8, definition.backoff_initial_ms);
      definition.backoff_factor := coalesce((rule #> '{backoff,factor}')::float8, definition.backoff_factor);
      definition.backoff_max_ms := coalesce((rule #> '{backoff,max_ms}')::float8, definition.backoff_max_ms);
      definition.backoff_jitter := coalesce(rule #>> '{backoff,jitter}', definition.backoff_jitter);
      return definition;
    end if;
  end loop;
  return definition;
end $$;
comment on function millrace.retry_policy(millrace.step_definition, jsonb) is 'The definition of a step with the retry policy that counts for an error.';
