-- Remembers where the artifacts of runs lie in other stores, before their rows go: housekeeping removes them there. Whoever deletes runs
-- calls this first. What lies here goes with the rows.
create or replace function millrace.leave_artifacts(run_ids uuid[]) returns void
language plpgsql
as $$
begin
  insert into millrace.artifact_upload (id, of_run, name, type, task_id, step_id, attempt, store, location, size, touched_at, is_left)
  select a.id, a.run_id, '', a.type, 0, 0, a.attempt, a.store, a.location, a.size, millrace.now(), true
    from millrace.artifact a where a.run_id = any (run_ids) and a.store <> 'postgres'
      on conflict (id) do nothing;
  update millrace.artifact_upload u set is_left = true, name = '' where u.of_run = any (run_ids) and not u.is_left;
end $$;
comment on function millrace.leave_artifacts(uuid[]) is 'Remembers where the artifacts of runs lie in other stores, before their rows go.';
