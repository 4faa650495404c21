-- Clears a batch of what is left elsewhere of a week that was taken out of the history: remembers where artifacts lie in other stores, and deletes
-- what stays as long as its run does. What was moved is a run still, and is left alone. False where nothing was left.
create or replace function millrace.clear_week(week text, batch int) returns boolean
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
  first_id uuid := uuid_floor(week_begins(week));
  next_id uuid := uuid_floor(week_begins(week) + interval '7 days');
  kept_table text;
  n int;
  room int := batch;
begin
  if to_regclass(format('millrace.%I', 'artifact_' || week)) is not null then
    execute format('with taken as (
                      delete from millrace.%1$I where ctid = any (array(select ctid from millrace.%1$I order by run_id, name limit $1)) returning *
                    ), remembered as (
                      insert into millrace.artifact_upload (id, of_run, name, type, task_id, step_id, attempt, store, location, size, touched_at, is_left)
                      select a.id, a.run_id, '''', a.type, 0, 0, a.attempt, a.store, a.location, a.size, millrace.now(), true
                        from taken a
                       where a.store <> ''postgres'' and not exists (select from millrace.run r where r.id = any (array[a.run_id])) on conflict (id) do nothing
                    )
                    select count(*) from taken', 'artifact_' || week) into n using room;
    room := room - n;
  end if;
  foreach kept_table in array run_tables() loop
    exit when room = 0;
    execute format('delete from millrace.%1$I where ctid = any (array(
                      select t.ctid from millrace.%1$I t
                       where t.run_id >= $1 and t.run_id < $2
                         and not exists (select from millrace.run r where r.id = any (array[t.run_id]) and r.id >= $1 and r.id < $2) limit $3))', kept_table)
      using first_id, next_id, room;
    get diagnostics n = row_count;
    room := room - n;
  end loop;
  return room < batch;
end $$;
comment on function millrace.clear_week(text, int) is 'Clears a batch of what is left elsewhere of a week that was taken out of the history; false where nothing was left.';
