-- The statement that records a change, of an insert, a delete or an update, or all of them from the tables of a statement. Small rows take the short way.
create or replace function millrace.capture_part(watched millrace.change_watch, relation oid, operation text, source text default null) returns text
language plpgsql stable
as $$
declare
  columns text[] := watch_values(watched, relation);
  subject text := case operation when 'delete' then 'old' else 'new' end;
  tenant_column text := watched.settings ->> 'tenant_column';
  large text;
  old_row record;
  new_row record;
  short_old text;
  short_new text;
  head text;
begin
  old_row := capture_row('old', case operation when 'update' then 'new' end, columns, relation);
  new_row := capture_row('new', case operation when 'update' then 'old' end, columns, relation);
  short_old := capture_object('old', columns, relation);
  short_new := capture_object('new', columns, relation);
  head := format(E'    insert into millrace.change (watch_id, transaction, operation, tenant, key, old, new, left_out, at, origin)\n    %s%s, pg_current_xact_id(), %L, %s,\n      %s,\n      ',
                 case when source is null then 'values (' else 'select ' end, watched.id, operation, case when tenant_column is null then 'null' else format('%s.%I::text', subject, tenant_column) end,
                 capture_object(subject, watch_key(watched, relation), relation));
  select string_agg(format('coalesce(pg_column_size(%s.%I), 0) > 2048', g.row_name, c.name), ' or ' order by g.row_name, c.name) into large
    from watch_columns(relation) c
   cross join unnest(case operation when 'insert' then array['new'] when 'delete' then array['old'] else array['old', 'new'] end) g(row_name)
   where c.is_large and c.name = any (columns);
  return format(
    case when source is not null and large is not null
           then E'%2$scase when %1$s then %5$s else %3$s end,\n      case when %1$s then %6$s else %4$s end,\n      case when %1$s then nullif(%8$s, ''{}''::jsonb) end%7$s\n'
         when large is null then E'%2$s%3$s, %4$s, null%7$s\n'
         else E'  if %1$s then\n%2$s%5$s,\n      %6$s,\n      nullif(%8$s, ''{}''::jsonb)%7$s\n  else\n%2$s%3$s, %4$s, null%7$s\n  end if;\n' end,
    large, head,
    case operation when 'insert' then 'null::jsonb' else short_old end,
    case operation when 'delete' then 'null::jsonb' else short_new end,
    case operation when 'insert' then 'null::jsonb' else old_row.held end,
    case operation when 'delete' then 'null::jsonb' else new_row.held end,
    ', millrace.now(), nullif(left(current_setting(''millrace.origin'', true), 100), '''')' || case when source is null then ');' else E'\n    ' || source || ';' end,
    case operation when 'delete' then old_row.missing when 'insert' then new_row.missing
         else old_row.missing || E'\n      || ' || new_row.missing end);
end $$;
comment on function millrace.capture_part(millrace.change_watch, oid, text, text) is 'The statement that records a change, or those of a statement.';
