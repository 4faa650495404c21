-- A number among the settings of a rule on starts, within its bounds; counts are whole.
create or replace function millrace.start_rule_number(slug text, name text, settings jsonb, setting text, least_value float8, most_value float8) returns float8
language plpgsql immutable
as $$
declare
  value float8;
begin
  if jsonb_typeof(settings -> setting) = 'number' and length(settings ->> setting) < 30 then
    value := (settings ->> setting)::float8;
  end if;
  if value is null or value not between least_value and most_value or (setting not like '%\_ms' and value <> trunc(value)) then
    raise exception 'The % of rule ''%'' of pipeline ''%'' is %; it must be a number from % to %.', setting, name, slug,
      coalesce(settings -> setting, 'null'), least_value::numeric, most_value::numeric
      using errcode = 'MR070', hint = 'Counts are whole numbers, times are milliseconds.';
  end if;
  return value;
end $$;
comment on function millrace.start_rule_number(text, text, jsonb, text, float8, float8) is 'A number among the settings of a rule on starts, within its bounds.';
