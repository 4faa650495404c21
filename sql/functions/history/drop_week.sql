-- Drops one week of history. What is still live or undecided in it moves to the default partitions first.
create or replace function millrace.drop_week(week text) returns void
language plpgsql
as $$
declare
  parent text;
  kept uuid[];
begin
  foreach parent in array array['run', 'attempt', 'event'] loop
    execute format('alter table millrace.%I detach partition millrace.%I', parent, parent || '_' || week);
  end loop;
  execute format('select coalesce(array_agg(r.id), ''{}'') from millrace.%I r
                   where r.finished_at is null or exists (select from millrace.dead_letter l where l.run_id = r.id)', 'run_' || week) into kept;
  execute format('insert into millrace.run select * from millrace.%I where id = any ($1)', 'run_' || week) using kept;
  execute format('insert into millrace.attempt select * from millrace.%I where run_id = any ($1)', 'attempt_' || week) using kept;
  execute format('insert into millrace.event select * from millrace.%I where run_id = any ($1)', 'event_' || week) using kept;
  foreach parent in array array['run', 'attempt', 'event'] loop
    execute format('drop table millrace.%I', parent || '_' || week);
  end loop;
end $$;
comment on function millrace.drop_week(text) is 'Drops one week of history; what is live or undecided in it is kept.';
