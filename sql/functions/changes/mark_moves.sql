-- Marks, for the row triggers of a watch on a partitioned table, that an update is under way: then a delete with an insert after it is a row that
-- moves. Counted, because a trigger of the application may update the same table within.
create or replace function millrace.mark_moves() returns trigger
language plpgsql
as $$
declare
  mark text := 'millrace.moving_' || tg_argv[0];
begin
  perform set_config(mark, (coalesce(nullif(current_setting(mark, true), ''), '0')::int + case tg_when when 'BEFORE' then 1 else -1 end)::text, true);
  if tg_when = 'AFTER' then
    perform set_config('millrace.moved_' || tg_argv[0], '', true);
  end if;
  return null;
end $$;
comment on function millrace.mark_moves() is 'Trigger: marks that an update of a watched partitioned table is under way.';
