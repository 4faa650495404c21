-- Marks, for the row triggers of a watch on a partitioned table, that an update is under way: then a delete with an insert after it is a row that
-- moves. Or, by its second argument, that a statement is under way which inserts or deletes: then these are not all of rows that move. Counted, because
-- MERGE is each of them, and a trigger of the application may write to the same table within.
create or replace function millrace.mark_moves() returns trigger
language plpgsql
as $$
declare
  mark text := format('millrace.%s_%s', coalesce(tg_argv[1], 'moving'), tg_argv[0]);
begin
  perform set_config(mark, (coalesce(nullif(current_setting(mark, true), ''), '0')::int + case tg_when when 'BEFORE' then 1 else -1 end)::text, true);
  if tg_when = 'AFTER' and tg_op = 'UPDATE' then
    perform set_config('millrace.moved_' || tg_argv[0], '', true);
  end if;
  return null;
end $$;
comment on function millrace.mark_moves() is 'Trigger: marks that an update of a watched partitioned table is under way, or what inserts and deletes.';
