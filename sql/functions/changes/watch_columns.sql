-- The columns of a watched table as its capture needs them: how each is compared, whether its values may be large, and whether a JSON number can
-- hold them. A virtual generated column has no value in a row trigger.
create or replace function millrace.watch_columns(relation oid)
returns table (name text, type text, is_large boolean, is_wide_number boolean, has_equality boolean)
language sql stable
as $$
  select a.attname::text, format_type(a.atttypid, a.atttypmod), a.attlen = -1 and a.attstorage <> 'p',
         a.atttypid in ('int8'::regtype, 'numeric'::regtype),
         t.typnamespace = 'pg_catalog'::regnamespace and t.typtype = 'b' and a.atttypid not in ('json'::regtype, 'xml'::regtype)
           and exists (select from pg_opclass o join pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
                        where o.opcdefault and (o.opcintype = t.oid or (t.oid = 'varchar'::regtype and o.opcintype = 'text'::regtype)))
    from pg_attribute a join pg_type t on t.oid = a.atttypid
   where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
   order by a.attnum
$$;
comment on function millrace.watch_columns(oid) is 'The columns of a watched table as its capture needs them.';
