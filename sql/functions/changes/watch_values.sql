-- Which columns a change carries: those that the watch asks for, and its key; all where it names none.
create or replace function millrace.watch_values(watched millrace.change_watch, relation oid) returns text[]
language sql stable
as $$
  select array(
    select c.name from watch_columns(relation) c
     where coalesce(watched.settings -> 'values', watched.settings -> 'columns') is null
        or coalesce(watched.settings -> 'values', watched.settings -> 'columns') ? c.name
        or c.name = any (watch_key(watched, relation)))
$$;
comment on function millrace.watch_values(millrace.change_watch, oid) is 'Which columns a change carries.';
