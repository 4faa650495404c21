-- Runs that ended and are beyond their retention, at most so many: in the default partition, in weeks that can't be dropped as they are, and those of
-- pipelines with a shorter one. Stays what nobody has decided on, of which an end is still to be told or looked for, and what a run called that may
-- still read how it ended. Each pipeline is looked up by its name: one statement for all of them would read the history from end to end.
create or replace function millrace.ended_runs(at timestamptz, keep_from timestamptz, of_weeks boolean, batch int) returns uuid[]
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
  scope record;
  found_runs uuid[];
  ended uuid[] := '{}'::uuid[];
begin
  for scope in
    select 'run_default' as name, '' as of_pipeline, keep_from as before, keep_from as begun_before
    union all
    select 'run', '', keep_from, date_trunc('week', keep_from at time zone 'UTC') at time zone 'UTC' where of_weeks
    union all
    select 'run', format('r.slug = %L and', p.slug), s.before, s.before
      from millrace.pipeline p cross join lateral (select greatest(keep_from, at - make_interval(days => p.retention_days)) as before) s
     where p.retention_days is not null
  loop
    exit when cardinality(ended) >= batch;
    execute format('select coalesce(array_agg(f.id), ''{}'') from (
      select r.id from millrace.%I r
       where %s r.id < $1 and r.finished_at < $2 and r.id <> all ($3)
         and not exists (select from millrace.dead_letter l where l.run_id = any (array[r.id]))
         and not exists (select from millrace.callback_delivery c where c.run_id = any (array[r.id]) and c.due_at is not null)
         and not exists (select from millrace.firing f where f.run_id = any (array[r.id]) and f.verify_at is not null)
         and not (r.parent_run_id is not null and not r.detached and exists (
               select from millrace.run p where p.id = any (array[r.parent_run_id])
                  and (p.finished_at is null or exists (select from millrace.dead_letter l where l.run_id = p.id))))
       limit $4) f', scope.name, scope.of_pipeline)
      into found_runs using uuid_floor(scope.begun_before), scope.before, ended, batch - cardinality(ended);
    ended := ended || found_runs;
  end loop;
  return ended;
end $$;
comment on function millrace.ended_runs(timestamptz, timestamptz, boolean, int) is 'Runs that ended and are beyond their retention, at most so many.';
