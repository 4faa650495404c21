-- The expression for these columns of a row as a JSON object. A call takes a hundred arguments at most, so many columns are several calls.
create or replace function millrace.capture_object(row_name text, columns text[], relation oid) returns text
language sql stable
as $$
  select coalesce(string_agg('jsonb_build_object(' || g.pairs || ')', ' || ' order by g.part), '''{}''::jsonb')
    from (select n.part, string_agg(format('%L, %s', n.name, capture_value(row_name, n.name, n.type, n.is_wide_number)), ', ' order by n.n) as pairs
            from (select c.*, k.n, (k.n - 1) / 40 as part
                    from unnest(columns) with ordinality k(name, n) join watch_columns(relation) c on c.name = k.name) n
           group by n.part) g
$$;
comment on function millrace.capture_object(text, text[], oid) is 'The expression for these columns of a row as a JSON object.';
