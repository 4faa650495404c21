-- Whether a JSON value is a number between two bounds, and whole where that is asked for. Null where there is no value.
create or replace function millrace.is_within(value jsonb, least_value numeric, most_value numeric, is_whole boolean) returns boolean
language sql immutable
as $$
  select case jsonb_typeof(value)
           when 'number' then value::numeric between least_value and most_value and (not is_whole or value::numeric = trunc(value::numeric))
           when null then null
           else false end
$$;
comment on function millrace.is_within(jsonb, numeric, numeric, boolean) is 'Whether a JSON value is a number between two bounds.';
