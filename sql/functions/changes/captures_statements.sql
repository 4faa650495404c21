-- Whether the changes of a watch are recorded by statement, from the tables of what each left behind, which costs a third for many rows: where each
-- counts, and old and new can be paired by a unique key. Otherwise they are recorded by row, and what does not count costs next to nothing. Row triggers
-- alone come to new partitions by themselves.
create or replace function millrace.captures_statements(watched millrace.change_watch, relation oid) returns boolean
language sql stable
as $$
  select c.relkind = 'r' and not watched.settings ?| array['columns', 'when', 'tenant_column', 'record_gaps']
     and (not watched.settings -> 'operations' ? 'update' or watched.settings -> 'operations' ?& array['insert', 'delete'])
     and not exists (select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent))
     -- Rows that share a key would be paired each with each.
     and exists (select from pg_index i where i.indrelid = relation and i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null
                    and not exists (select from unnest(i.indkey::int2[]) with ordinality n(attnum, n) join pg_attribute a on a.attrelid = relation and a.attnum = n.attnum
                                     where n.n <= i.indnkeyatts and a.attname <> all (watch_key(watched, relation))))
     and not exists (select from unnest(watch_key(watched, relation)) k
                      where not exists (select from pg_attribute a where a.attrelid = relation and a.attname = k and a.attnotnull))
    from pg_class c where c.oid = relation
$$;
comment on function millrace.captures_statements(millrace.change_watch, oid) is 'Whether the changes of a watch are recorded by statement, or by row.';
