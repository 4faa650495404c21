-- How many units of a rate a task takes: the number at the rule's path, one where there is none, and never more than may begin at once,
-- because such a task could never begin.
create or replace function millrace.limit_units(units_path jsonb, burst int, input jsonb, item_value jsonb, tenant text) returns float8
language plpgsql immutable
as $$
declare
  given jsonb := millrace.limit_value(array(select jsonb_array_elements_text(units_path)), input, item_value, tenant);
begin
  return case when jsonb_typeof(given) = 'number' then least(greatest(round(given::text::numeric, 9), 0), burst) else 1 end;
end $$;
comment on function millrace.limit_units(jsonb, int, jsonb, jsonb, text) is 'How many units of a rate a task takes.';
