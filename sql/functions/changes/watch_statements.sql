-- What installs a watch on its table as both are now: the function, then the triggers. Run by whoever may create triggers there.
create or replace function millrace.watch_statements(watched millrace.change_watch) returns setof text
language plpgsql stable
as $$
declare
  relation oid := watch_relation(watched);
begin
  return next case when captures_statements(watched, relation) then capture_statement(watched, relation) else capture_function(watched, relation) end;
  return next format('revoke all on function millrace.capture_%s() from public', watched.id);
  return query select t.statement from watch_triggers(watched, relation) t;
end $$;
comment on function millrace.watch_statements(millrace.change_watch) is 'What installs a watch on its table as both are now.';
