-- The text of the row trigger's function of a watch. It only records: whatever it locks, nobody else waits for.
--
-- An update that takes a row into another partition comes as a delete and an insert, between two marks that a statement trigger sets: the delete
-- keeps its row for the insert that follows it in another partition, which tells both as the one update that they are. Where the statement may also insert
-- or delete, as MERGE does, only an insert of the same key is the row that moved. An update that changes the key, or the tenant, is a delete of the one and
-- an insert of the other.
create or replace function millrace.capture_function(watched millrace.change_watch, relation oid) returns text
language plpgsql stable
as $$
declare
  operations jsonb := watched.settings -> 'operations';
  tenant_column text := watched.settings ->> 'tenant_column';
  is_partitioned boolean := (select c.relkind = 'p' from pg_class c where c.oid = relation);
  gaps boolean := coalesce(watched.settings ->> 'record_gaps' = 'true', false);
  name text := (select c.relnamespace::regnamespace || '.' || quote_ident(c.relname) from pg_class c where c.oid = relation);
  kept text := format('millrace.moved_%s', watched.id);
  apart text;
  same_key text;
  body text := '';
begin
  apart := concat_ws(' or ',
    case when tenant_column is not null then format('old.%1$I is distinct from new.%1$I', tenant_column) end,
    case when operations ?& array['insert', 'delete'] then
      (select string_agg(format('record_image_ne(row(old.%1$I), row(new.%1$I))', k), ' or ') from unnest(watch_key(watched, relation)) k) end);
  if is_partitioned then
    -- Of its key, what says in which partition it lies changes as it moves.
    same_key := (select string_agg(format('nullif(current_setting(%1$L, true), '''')::jsonb -> ''row'' -> %2$L = to_jsonb(new) -> %2$L', kept, k), ' and ')
                   from unnest(watch_key(watched, relation)) k
                  where k not in (select a.attname from pg_partition_tree(relation) t join pg_partitioned_table p on p.partrelid = t.relid
                                    join pg_attribute a on a.attrelid = p.partrelid and a.attnum = any (p.partattrs::int2[])));
    body := format(
      E'  if coalesce(current_setting(''millrace.moving_%1$s'', true), ''0'') not in ('''', ''0'') then\n    if operation = ''DELETE'' then\n      perform set_config(%2$L, jsonb_build_object(''row'', to_jsonb(old), ''relation'', tg_relid::bigint)::text, true);\n      kept_row := to_jsonb(old);\n    elsif operation = ''INSERT'' and (nullif(current_setting(%2$L, true), '''')::jsonb ->> ''relation'')::bigint <> tg_relid::bigint\n      and (coalesce(current_setting(''millrace.mixed_%1$s'', true), ''0'') in ('''', ''0'') or (%5$s)) then\n      kept_row := current_setting(%2$L, true)::jsonb;\n      delete from millrace.change c where c.watch_id = %1$s and c.id = (kept_row ->> ''id'')::bigint;\n      old := jsonb_populate_record(null::%3$s, kept_row -> ''row'');\n      operation := ''UPDATE'';\n      perform set_config(%2$L, '''', true);\n      if (%4$s) is not true then\n        return null;\n      end if;\n    else\n      perform set_config(%2$L, '''', true);\n    end if;\n  end if;\n',
      watched.id, kept, name, coalesce(capture_conditions(watched, relation, 'update', true), 'true'), coalesce(same_key, 'false'));
  end if;
  if operations ? 'insert' then
    body := body || format(E'  if operation = ''INSERT''%s then\n%s  end if;\n',
      case when is_partitioned or gaps then coalesce(' and (' || capture_conditions(watched, relation, 'insert', true) || ')', '') else '' end,
      capture_part(watched, relation, 'insert'));
  end if;
  if operations ? 'delete' then
    body := body || format(E'  if operation = ''DELETE''%s then\n%s%s  end if;\n',
      case when is_partitioned or gaps then coalesce(' and (' || capture_conditions(watched, relation, 'delete', true) || ')', '') else '' end,
      capture_part(watched, relation, 'delete'),
      case when is_partitioned then format(
        E'    if kept_row is not null then\n      perform set_config(%L, jsonb_build_object(''row'', kept_row, ''relation'', tg_relid::bigint, ''id'', currval(pg_get_serial_sequence(''millrace.change'', ''id'')))::text, true);\n    end if;\n', kept) else '' end);
  end if;
  if operations ? 'update' or is_partitioned then
    body := body || format(E'  if operation = ''UPDATE''%s then\n', case when gaps then coalesce(' and (' || capture_conditions(watched, relation, 'update', true) || ')', '') else '' end);
    if apart <> '' then
      body := body || format(E'  if %s then\n%s%s  else\n', apart,
        case when operations ? 'delete' then coalesce('  if ' || capture_conditions(watched, relation, 'delete', false) || E' then\n' || capture_part(watched, relation, 'delete') || E'  end if;\n',
                                                      capture_part(watched, relation, 'delete')) else E'    null;\n' end,
        case when operations ? 'insert' then coalesce('  if ' || capture_conditions(watched, relation, 'insert', false) || E' then\n' || capture_part(watched, relation, 'insert') || E'  end if;\n',
                                                      capture_part(watched, relation, 'insert')) else E'    null;\n' end);
    end if;
    body := body || case when operations ? 'update' then capture_part(watched, relation, 'update') else E'    null;\n' end
                 || case when apart <> '' then E'  end if;\n' else '' end || E'  end if;\n';
  end if;
  body := body || E'  -- One notification a transaction, however many rows: equal ones are sent once.\n  perform pg_notify(''millrace_wake'', ''change'') from millrace.worker w where w.sleeping limit 1;\n';
  if gaps then
    body := format(E'  begin\n%s  exception when others then\n    begin\n      insert into millrace.change_gap (watch_id, transaction, at, sqlstate, message)\n      values (%s, pg_current_xact_id(), clock_timestamp(), sqlstate, left(sqlerrm, 500));\n    exception when others then\n      raise warning ''Millrace: a change for watch %s was not recorded: %%'', sqlerrm;\n    end;\n  end;\n',
                   body, watched.id, watched.name);
  end if;
  return format('create or replace ' || E'function millrace.capture_%s() returns trigger\nlanguage plpgsql security definer set search_path = millrace, pg_temp\nas $millrace$\n#variable_conflict use_column\ndeclare\n  operation text := tg_op;\n%sbegin\n%s  return null;\nend $millrace$',
                watched.id, case when is_partitioned then E'  kept_row jsonb;\n' else '' end, body);
end $$;
comment on function millrace.capture_function(millrace.change_watch, oid) is 'The text of the function that records the changes of a watch.';
