-- Runs whose first task was claimed are running. Rows are taken in the order of the ids: two claims may hold tasks of the same runs.
create or replace function millrace.begin_runs(run_ids uuid[], at timestamptz) returns void
language plpgsql
as $$
begin
  update millrace.run r set state = 'running', started_at = begin_runs.at
    from (select distinct id from unnest(run_ids) id order by id) begun
   where r.id = begun.id and r.state = 'pending';
end $$;
comment on function millrace.begin_runs(uuid[], timestamptz) is 'Runs whose first task was claimed are running.';
