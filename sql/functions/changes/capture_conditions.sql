-- Which rows of an operation count for a watch, as SQL over old and new: its columns, its condition and its tenant. An update that changes nothing
-- is no change.
create or replace function millrace.capture_conditions(watched millrace.change_watch, relation oid, operation text, with_when boolean) returns text
language sql stable
as $$
  select nullif(concat_ws(' and ',
    case when operation = 'update' then '(' || coalesce(
      (select string_agg(case when c.has_equality then format('old.%1$I is distinct from new.%1$I', c.name)
                              else format('record_image_ne(row(old.%1$I), row(new.%1$I))', c.name) end, ' or ' order by c.name)
         from watch_columns(relation) c where watched.settings -> 'columns' ? c.name
           or (watched.settings ? 'columns' and c.name = watched.settings ->> 'tenant_column')), 'record_image_ne(old.*, new.*)') || ')' end,
    case when watched.tenant is not null then
      case operation when 'insert' then format('new.%I::text = %L', watched.settings ->> 'tenant_column', watched.tenant)
                     when 'delete' then format('old.%I::text = %L', watched.settings ->> 'tenant_column', watched.tenant)
                     else format('(old.%1$I::text = %2$L or new.%1$I::text = %2$L)', watched.settings ->> 'tenant_column', watched.tenant) end end,
    case when with_when then '(' || (watched.settings -> 'when' ->> operation) || E'\n)' end), '')
$$;
comment on function millrace.capture_conditions(millrace.change_watch, oid, text, boolean) is 'Which rows of an operation count for a watch, as SQL over old and new.';
