-- Trigger: records that a watched table, or a partition of one, was emptied. Of the tables that one statement empties each has its own.
create or replace function millrace.capture_truncate() returns trigger
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  watched change_watch;
begin
  select w.* into watched from change_watch w where w.id = tg_argv[0]::int;
  insert into change (watch_id, transaction, operation, old, at, origin)
  values (tg_argv[0]::int, pg_current_xact_id(), 'truncate', jsonb_build_array(format('%s.%s', tg_table_schema, tg_table_name)), millrace.now(),
          nullif(left(current_setting('millrace.origin', true), 100), ''));
  perform pg_notify('millrace_wake', 'change') from worker w where w.sleeping limit 1;
  return null;
exception when others then
  if not coalesce(watched.settings ->> 'record_gaps' = 'true', false) then
    raise;
  end if;
  insert into change_gap (watch_id, transaction, at, sqlstate, message)
  values (watched.id, pg_current_xact_id(), clock_timestamp(), sqlstate, left(sqlerrm, 500));
  return null;
end $$;
comment on function millrace.capture_truncate() is 'Trigger: records that a watched table, or a partition of one, was emptied.';
