-- What is wrong with the capture of a watch, in sentences: nothing where each change of its table is recorded.
create or replace function millrace.watch_problems(watched millrace.change_watch) returns text[]
language plpgsql stable
as $$
declare
  relation oid := watch_relation(watched);
  problems text[] := array[]::text[];
  named text := format('%s.%s', watched.table_schema, watched.table_name);
  altered text;
begin
  if watched.retired_at is not null then
    return case when exists (select from watch_remains(watched.id)) then array['its triggers are still there, and no code declares it'] else problems end;
  end if;
  if relation is null then
    return array[format('there is no table %s', named) || coalesce(format('; the one that it was installed on is %s now', qualified_name(watched.installed_relation)), '')];
  end if;
  if watched.installed_at is null then
    return array['it is not applied'];
  end if;
  if watched.installed_relation <> relation then
    problems := problems || format('%s is another table than the one that it was installed on', named);
  end if;
  select string_agg(case when k.type is null then format('column %s was added', c.name) when c.name is null then format('column %s was dropped or renamed', k.name)
                         else format('column %s is %s now', c.name, c.type) end, ', ' order by coalesce(c.name, k.name)) into altered
    from watch_columns(relation) c full join (select * from jsonb_each_text(watched.installed_columns)) k(name, type) on k.name = c.name
   where k.type is distinct from c.type;
  if altered is not null then
    problems := problems || altered;
  end if;
  if watch_fault(watched, relation) is not null then
    return problems || watch_fault(watched, relation);
  end if;
  problems := problems || array(
    select format('trigger %s is missing on %s', g.name, qualified_name(g.on_relation))
      from watch_triggers(watched, relation) g
     where not exists (select from pg_trigger t where t.tgrelid = g.on_relation and t.tgname = g.name) order by 1)
    || array(
    select format('trigger %s is disabled on %s', t.tgname, qualified_name(t.tgrelid))
      from pg_trigger t where t.tgname ~ format('^millrace_%s_', watched.id) and t.tgenabled in ('D', 'R') and not t.tgisinternal order by 1);
  return case when problems = '{}' and watch_digest(watched) <> watched.installed_digest then array['what is installed is not what it asks for now'] else problems end;
end $$;
comment on function millrace.watch_problems(millrace.change_watch) is 'What is wrong with the capture of a watch, in sentences.';
