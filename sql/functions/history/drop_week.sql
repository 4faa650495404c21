-- Drops one week of history. What is still live or undecided in it, and what such a run called, moves to the default partitions first.
create or replace function millrace.drop_week(week text) returns void
language plpgsql
as $$
declare
  parent text;
  begins timestamptz := to_date(drop_week.week, 'IYYY"w"IW')::timestamp at time zone 'UTC';
  kept uuid[];
begin
  foreach parent in array history_tables() loop
    continue when to_regclass(format('millrace.%I', parent || '_' || week)) is null;
    execute format('alter table millrace.%I detach partition millrace.%I', parent, parent || '_' || week);
  end loop;
  execute format('select coalesce(array_agg(r.id), ''{}'') from millrace.%1$I r
                   where r.finished_at is null or exists (select from millrace.dead_letter l where l.run_id = r.id)
                      or (r.parent_run_id is not null and not r.detached and exists (
                            select from (select id, finished_at from millrace.run union all select id, finished_at from millrace.%1$I) p
                             where p.id = r.parent_run_id
                               and (p.finished_at is null or exists (select from millrace.dead_letter l where l.run_id = p.id))))',
                 'run_' || week) into kept;
  if to_regclass(format('millrace.%I', 'artifact_' || week)) is not null then
    execute format('insert into millrace.artifact_upload (id, of_run, name, type, task_id, step_id, attempt, store, location, size, touched_at, is_left)
                    select a.id, a.run_id, '''', a.type, 0, 0, a.attempt, a.store, a.location, a.size, millrace.now(), true
                      from millrace.%I a where a.store <> ''postgres'' and a.run_id <> all ($1) on conflict (id) do nothing', 'artifact_' || week) using kept;
  end if;
  foreach parent in array history_tables() loop
    continue when to_regclass(format('millrace.%I', parent || '_' || week)) is null;
    execute format('insert into millrace.%I select * from millrace.%I where %I = any ($1)', parent, parent || '_' || week,
      case parent when 'run' then 'id' else 'run_id' end) using kept;
    execute format('drop table millrace.%I', parent || '_' || week);
  end loop;
  foreach parent in array run_tables() loop
    execute format('delete from millrace.%I where run_id >= $1 and run_id < $2 and run_id <> all ($3)', parent)
      using uuid_floor(begins), uuid_floor(begins + interval '7 days'), kept;
  end loop;
end $$;
comment on function millrace.drop_week(text) is 'Drops one week of history; what is live or undecided in it is kept.';
