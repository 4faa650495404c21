-- How many bytes the artifacts of a run have, with those that are being written; what is being replaced doesn't count, nor what a dead attempt left.
create or replace function millrace.run_artifact_bytes(counted_run uuid) returns bigint
language sql stable
as $$
  with written as (
    select u.name, u.size from millrace.artifact_upload u
      join millrace.task t on t.id = u.task_id and t.step_id = u.step_id and t.attempt = u.attempt and t.worker_id = u.worker_id
     where u.of_run = counted_run and not u.is_left
  )
  select (coalesce((select sum(a.size) from millrace.artifact a where a.run_id = counted_run and a.name not in (select w.name from written w)), 0)
        + coalesce((select sum(w.size) from written w), 0))::bigint
$$;
comment on function millrace.run_artifact_bytes(uuid) is 'How many bytes the artifacts of a run have, with those that are being written.';
