-- The expression for one value in a change. A number that a JSON number of 53 bits can't hold exactly goes as text.
create or replace function millrace.capture_value(row_name text, column_name text, type text, is_wide_number boolean) returns text
language sql immutable
as $$
  select case when not is_wide_number then format('%s.%I', row_name, column_name)
              when type = 'bigint'
                then format('case when %1$s.%2$I between -9007199254740991 and 9007199254740991 then to_jsonb(%1$s.%2$I) else to_jsonb(%1$s.%2$I::text) end', row_name, column_name)
              else format('case when length(translate(%1$s.%2$I::text, ''-.'', '''')) <= 15 then to_jsonb(%1$s.%2$I) else to_jsonb(%1$s.%2$I::text) end', row_name, column_name) end
$$;
comment on function millrace.capture_value(text, text, text, boolean) is 'The expression for one value in a change.';
