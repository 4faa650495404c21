-- Drops the tables of one week that was taken out of the history, once nothing is left of it elsewhere.
create or replace function millrace.drop_week(week text) returns void
language plpgsql
as $$
begin
  execute format('drop table %s', (
    select string_agg(format('millrace.%I', h.parent || '_' || week), ', ') from unnest(history_tables()) h(parent)
     where to_regclass(format('millrace.%I', h.parent || '_' || week)) is not null));
end $$;
comment on function millrace.drop_week(text) is 'Drops the tables of one week that was taken out of the history.';
