-- Removes a watch with the changes that were not told yet, once its triggers are gone: whoever may take those away does so in the same transaction.
create or replace function millrace.remove_watch(name text) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  watched change_watch;
begin
  select w.* into watched from change_watch w where w.name = remove_watch.name for update;
  if not found then
    return false;
  end if;
  if exists (select from watch_remains(watched.id)) then
    raise exception 'Watch ''%'' has triggers on its table still.', watched.name
      using errcode = 'MR140', hint = format('Remove it as somebody who may drop them: npx millrace watch remove %s', watched.name);
  end if;
  delete from change_watch w where w.id = watched.id;
  delete from change c where c.watch_id = watched.id;
  return true;
end $$;
comment on function millrace.remove_watch(text) is 'Removes a watch whose triggers are gone.';
