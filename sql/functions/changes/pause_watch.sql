-- Pauses a watch, or lets it go on: while it is paused its changes are recorded, and start their runs afterwards. True where that changed something.
create or replace function millrace.pause_watch(name text, is_paused boolean default true) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if not exists (select from change_watch w where w.name = pause_watch.name) then
    raise exception 'There is no watch ''%''.', pause_watch.name using errcode = 'MR141', hint = 'List them with: npx millrace watch list';
  end if;
  update change_watch w set paused_at = case when is_paused then millrace.now() end, look_at = null, revision = w.revision + 1
   where w.name = pause_watch.name and (w.paused_at is not null) <> is_paused;
  return found;
end $$;
comment on function millrace.pause_watch(text, boolean) is 'Pauses a watch, or lets it go on; its changes are recorded meanwhile.';
