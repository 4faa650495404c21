-- Two expressions for a row in a change: the object of its values, and the object of what is left out of it and why. Large columns are looked at by
-- their stored size, which reads none of their bytes: over 64 KB they are too large, and over 2 KB an update tells them only where they changed.
create or replace function millrace.capture_row(row_name text, other text, columns text[], relation oid, out held text, out missing text)
language plpgsql stable
as $$
declare
  part record;
  fits text;
begin
  held := capture_object(row_name, array(select c.name from watch_columns(relation) c where c.name = any (columns) and not c.is_large), relation);
  missing := '''{}''::jsonb';
  for part in select c.* from watch_columns(relation) with ordinality c(name, type, is_large, is_wide_number, has_equality, n)
               where c.name = any (columns) and c.is_large order by c.n loop
    fits := case when other is null then format('coalesce(pg_column_size(%s.%I), 0) <= 65536', row_name, part.name)
                 else format('(coalesce(pg_column_size(%1$s.%2$I), 0) <= 2048 or (pg_column_size(%1$s.%2$I) <= 65536 and record_image_ne(row(%1$s.%2$I), row(%3$s.%2$I))))',
                             row_name, part.name, other) end;
    held := held || format(E'\n      || case when %s then jsonb_build_object(%L, %s) else ''{}'' end', fits, part.name,
                           capture_value(row_name, part.name, part.type, part.is_wide_number));
    missing := missing || format(E'\n      || case when %s then ''{}'' else jsonb_build_object(%L, case when pg_column_size(%s.%I) > 65536 then ''too large'' else ''unchanged'' end) end',
                                 fits, part.name, row_name, part.name);
  end loop;
end $$;
comment on function millrace.capture_row(text, text, text[], oid) is 'The expressions for a row in a change, and for what is left out of it.';
