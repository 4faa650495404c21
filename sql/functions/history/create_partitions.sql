-- Makes the weekly partitions of the history, from this week to so many ahead; what lies outside them goes to the default partitions.
-- A week that was left without its partitions until runs of it lay in the default ones stays there: pruning deletes from those as well.
--
-- A new partition locks its whole table. All are locked first, in the order in which most transactions use them, and given up before the
-- server would look for a deadlock: so it is never a worker that has to give way. Null where they could not be had; then the caller asks again.
create or replace function millrace.create_partitions(weeks_ahead int default 4) returns int
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
declare
  week timestamptz;
  parent text;
  made int := 0;
  locked boolean := false;
  partition_name text;
begin
  perform pg_advisory_xact_lock(77422, 1);
  for week in
    select generate_series(date_trunc('week', millrace.now() at time zone 'UTC'),
      date_trunc('week', millrace.now() at time zone 'UTC') + make_interval(weeks => weeks_ahead), interval '1 week') at time zone 'UTC'
  loop
    continue when exists (select from millrace.run_default r where r.id >= millrace.uuid_floor(week) and r.id < millrace.uuid_floor(week + interval '1 week'));
    foreach parent in array history_tables() loop
      partition_name := format('%s_%s', parent, to_char(week at time zone 'UTC', 'IYYY"w"IW'));
      continue when to_regclass(format('millrace.%I', partition_name)) is not null;
      if not locked then
        begin
          execute format('lock table %s in access exclusive mode', (
            select string_agg(format('millrace.%I', t.name), ', ' order by t.name = 'event', t.name = 'run', t.n) from unnest(history_tables()) with ordinality t(name, n)));
          locked := true;
        exception when lock_not_available then
          return null;
        end;
        -- Runs may have come into this week while the lock was waited for.
        exit when exists (select from millrace.run_default r where r.id >= millrace.uuid_floor(week) and r.id < millrace.uuid_floor(week + interval '1 week'));
      end if;
      execute format('create table millrace.%I partition of millrace.%I for values from (%L) to (%L)%s', partition_name, parent,
        millrace.uuid_floor(week), millrace.uuid_floor(week + interval '1 week'), case parent when 'run' then ' with (fillfactor = 50)' else '' end);
      execute format('alter table millrace.%I enable row level security', partition_name);
      made := made + 1;
    end loop;
  end loop;
  return made;
end $$;
comment on function millrace.create_partitions(int) is 'Makes the weekly partitions of the history; answers how many, or null where their tables could not be locked.';
