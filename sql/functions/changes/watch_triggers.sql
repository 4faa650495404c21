-- The triggers that a watch needs, by table: for each statement where it is recorded so, or row triggers, which PostgreSQL gives to each partition by itself, and triggers on statements, which it
-- does not, for truncate, and on partitioned tables for the marks around an update, and around what inserts and deletes.
create or replace function millrace.watch_triggers(watched millrace.change_watch, relation oid)
returns table (name text, on_relation oid, statement text)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  operations jsonb := watched.settings -> 'operations';
  is_partitioned boolean := (select c.relkind = 'p' from pg_class c where c.oid = relation);
  gaps boolean := coalesce(watched.settings ->> 'record_gaps' = 'true', false);
  moving text := format('coalesce(current_setting(''millrace.moving_%s'', true), ''0'') not in ('''', ''0'')', watched.id);
  operation text;
  condition text;
begin
  if captures_statements(watched, relation) then
    return query
      select format('millrace_%s_%s', watched.id, o.name), relation,
             format('create trigger %I after %s on %s referencing %s for each statement execute function millrace.capture_%s()', format('millrace_%s_%s', watched.id, o.name), o.name,
                    qualified_name(relation), o.tables, watched.id)
        from (values ('insert', 'new table as new_rows'), ('update', 'old table as old_rows new table as new_rows'), ('delete', 'old table as old_rows')) o(name, tables)
       where operations ? o.name;
  end if;
  foreach operation in array array['insert', 'update', 'delete'] loop
    continue when captures_statements(watched, relation) or not operations ? operation and not (is_partitioned and (operation <> 'update' or operations ? 'update') and operations ?| array['insert', 'update', 'delete']);
    condition := capture_conditions(watched, relation, operation, not gaps);
    if is_partitioned and operation <> 'update' then
      condition := case when not operations ? operation then moving else moving || ' or (' || condition || ')' end;
    end if;
    name := format('millrace_%s_%s', watched.id, operation);
    on_relation := relation;
    statement := format('create trigger %I after %s on %s for each row%s execute function millrace.capture_%s()', name, operation, qualified_name(relation),
                        coalesce(' when (' || condition || ')', ''), watched.id);
    return next;
  end loop;
  if is_partitioned and operations ?| array['insert', 'update', 'delete'] then
    for on_relation in select t.relid from pg_partition_tree(relation) t join pg_class c on c.oid = t.relid where c.relkind = 'p' order by t.level, t.relid loop
      return query
        select format('millrace_%s_%s', watched.id, o.name), on_relation,
               format('create trigger %I %s on %s for each statement execute function millrace.mark_moves(%s)', format('millrace_%s_%s', watched.id, o.name), o.at,
                      qualified_name(on_relation), concat_ws(', ', quote_literal(watched.id), quote_literal(o.mark)))
          from (values ('moves', 'before update', null), ('moved', 'after update', null), ('mixes', 'before insert or delete', 'mixed'), ('mixed', 'after insert or delete', 'mixed')) o(name, at, mark);
    end loop;
  end if;
  if operations ? 'truncate' then
    for on_relation in
      select t.relid from pg_partition_tree(relation) t join pg_class c on c.oid = t.relid where c.relkind in ('r', 'p')
       union select relation where not is_partitioned order by 1
    loop
      name := format('millrace_%s_truncate', watched.id);
      statement := format('create trigger %I after truncate on %s for each statement execute function millrace.capture_truncate(%L)', name, qualified_name(on_relation), watched.id);
      return next;
    end loop;
  end if;
end $$;
comment on function millrace.watch_triggers(millrace.change_watch, oid) is 'The triggers that a watch needs, by table.';
