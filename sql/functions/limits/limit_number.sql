-- A number among the settings of a rule, within its bounds.
create or replace function millrace.limit_number(name text, settings jsonb, setting text, least_value float8, most_value float8, may_be_missing boolean default false)
returns float8
language plpgsql immutable
as $$
declare
  value float8;
begin
  if may_be_missing and coalesce(settings -> setting, 'null') = 'null' then
    return null;
  end if;
  if jsonb_typeof(settings -> setting) = 'number' and length(settings ->> setting) < 30 then
    value := (settings ->> setting)::float8;
  end if;
  if value is null or value not between least_value and most_value or (setting <> 'per_ms' and setting not like '%\_ms' and value <> trunc(value)) then
    raise exception 'The % of limit ''%'' is %; it must be a number from % to %.', setting, name, coalesce(settings -> setting, 'null'),
      least_value::numeric, most_value::numeric
      using errcode = 'MR060', hint = 'Counts are whole numbers, times are milliseconds.';
  end if;
  return value;
end $$;
comment on function millrace.limit_number(text, jsonb, text, float8, float8, boolean) is 'A number among the settings of a rule, within its bounds.';
