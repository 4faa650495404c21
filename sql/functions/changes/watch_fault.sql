-- Why a watch can't be installed on its table as that is; null where it can.
create or replace function millrace.watch_fault(watched millrace.change_watch, relation oid) returns text
language sql stable
as $$
  select case
    when (select c.relkind not in ('r', 'p') or c.relpersistence = 't' from pg_class c where c.oid = relation) then 'it is no table of the kind that can be watched'
    when (select c.relispartition from pg_class c where c.oid = relation) then 'it is a partition: watch the partitioned table'
    when exists (select from pg_inherits i join pg_class c on c.oid = i.inhparent where c.oid = relation and c.relkind = 'r')
      then 'other tables inherit from it, whose rows its triggers don''t see: watch each of them'
    when position('$millrace$' in watched.settings::text) > 0 or exists (select from watch_columns(relation) c where position('$millrace$' in c.name) > 0)
      then 'it has $millrace$ in a condition or in the name of a column'
    when watched.settings -> 'operations' ?| array['insert', 'update', 'delete'] and cardinality(watch_key(watched, relation)) = 0
      then 'it has no primary key: name the columns that tell its rows apart as key'
    when unknown.name is not null then format('it has no column %s', unknown.name) end
    from (select min(n) as name
            from (select jsonb_array_elements_text(coalesce(watched.settings -> k, '[]')) as n from unnest(array['columns', 'values', 'key']) k
                  union all select watched.settings ->> 'tenant_column' where watched.settings ? 'tenant_column') g
           where not exists (select from watch_columns(relation) c where c.name = g.n)) unknown
$$;
comment on function millrace.watch_fault(millrace.change_watch, oid) is 'Why a watch can''t be installed on its table as that is.';
