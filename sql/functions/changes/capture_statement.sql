-- The text of the statement trigger's function of a watch: what a statement did, at once, from the rows before and after it. An update is paired by
-- key; a key that was not there before is an insert, one that is there no more a delete. No nested loops, which a plan that was made for one row
-- would go through for a hundred thousand.
create or replace function millrace.capture_statement(watched millrace.change_watch, relation oid) returns text
language plpgsql stable
as $$
declare
  operations jsonb := watched.settings -> 'operations';
  same text := (select string_agg(format('new.%1$I = old.%1$I', k), ' and ') from unnest(watch_key(watched, relation)) k);
  body text := '';
begin
  if operations ? 'insert' then
    body := body || E'  if tg_op = ''INSERT'' then\n' || capture_part(watched, relation, 'insert', 'from new_rows new') || E'  end if;\n';
  end if;
  if operations ? 'delete' then
    body := body || E'  if tg_op = ''DELETE'' then\n' || capture_part(watched, relation, 'delete', 'from old_rows old') || E'  end if;\n';
  end if;
  if operations ? 'update' then
    body := body || E'  if tg_op = ''UPDATE'' then\n'
      || capture_part(watched, relation, 'update', format('from old_rows old join new_rows new on %s where record_image_ne(old.*, new.*)', same))
      || capture_part(watched, relation, 'delete', format('from old_rows old where not exists (select from new_rows new where %s)', same))
      || capture_part(watched, relation, 'insert', format('from new_rows new where not exists (select from old_rows old where %s)', same))
      || E'  end if;\n';
  end if;
  return format('create or replace ' || E'function millrace.capture_%s() returns trigger\nlanguage plpgsql security definer set search_path = millrace, pg_temp set enable_nestloop = off\nas $millrace$\n#variable_conflict use_column\nbegin\n%s  perform pg_notify(''millrace_wake'', ''change'') from millrace.worker w where w.sleeping limit 1;\n  return null;\nend $millrace$',
                watched.id, body);
end $$;
comment on function millrace.capture_statement(millrace.change_watch, oid) is 'The text of the function that records the changes of a watch by statement.';
