-- A row as the audit trail tells it: the columns that count, without those that are empty; of what is not to be told, only that there was something, and
-- of what is too long, how long it was.
create or replace function millrace.told_row(told jsonb, columns text[], hidden text[]) returns jsonb
language sql immutable parallel safe
as $$
  select jsonb_object_agg(c.key, case
           when c.key = any (hidden) and c.value <> 'null' then '"[hidden]"'
           when length(c.value::text) > 4000 then to_jsonb(format('[%s characters]', length(c.value::text)))
           else c.value end)
    from jsonb_each(told) c where c.key = any (columns)
$$;
comment on function millrace.told_row(jsonb, text[], text[]) is 'A row as the audit trail tells it.';
