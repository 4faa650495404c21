-- What there is to install and to take away, so that the tables have what the watches ask for: of all, or of one. Each comes with its statements
-- in their order, and with what makes it impossible.
create or replace function millrace.plan_watches(only_name text default null)
returns table (name text, action text, fault text, statements text[])
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  watched millrace.change_watch;
  relation oid;
begin
  for watched in select w.* from millrace.change_watch w where only_name is null or w.name = only_name order by w.name loop
    relation := millrace.watch_relation(watched);
    name := watched.name;
    fault := null;
    statements := array(select millrace.watch_remains(watched.id));
    if watched.retired_at is not null then
      action := case when statements = '{}' then 'gone' else 'remove' end;
    else
      action := case when millrace.watch_problems(watched) = '{}' then 'none' when watched.installed_at is null then 'install' else 'repair' end;
      fault := case when relation is null then format('there is no table %s.%s', watched.table_schema, watched.table_name) else millrace.watch_fault(watched, relation) end;
      if fault is null then
        statements := statements || array(select millrace.watch_statements(watched));
      end if;
    end if;
    return next;
  end loop;
  -- Of a watch that is gone with its tenant, or with a schema that was made anew, the triggers may be there still.
  if only_name is null then
    return query
      select format('millrace_%s', o.id), 'remove', null::text, array(select millrace.watch_remains(o.id))
        from (select distinct substring(t.tgname from '^millrace_([0-9]{1,9})_(?:insert|update|delete|truncate|moves|moved|mixes|mixed)$')::int as id from pg_trigger t where not t.tgisinternal) o
       where o.id is not null and not exists (select from millrace.change_watch w where w.id = o.id) order by o.id;
  end if;
end $$;
comment on function millrace.plan_watches(text) is 'What there is to install and to take away, so that tables have what the watches ask for.';
