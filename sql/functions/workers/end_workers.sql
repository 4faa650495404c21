-- Counts workers as gone that somebody found to be, and takes back what they held. Asked again under their rows' locks: one that was heard of
-- meanwhile is left alone.
create or replace function millrace.end_workers(worker_ids uuid[], at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  gone record;
  gone_ids uuid[] := array[]::uuid[];
begin
  for gone in
    select w.id, w.lock_key, w.lease_expires_at < at as expired
      from worker w
     where w.id = any (worker_ids) and w.state <> 'gone' and (w.lease_expires_at < at or w.heartbeat_at < at - interval '1 second')
     order by w.id limit 100 for update of w skip locked
  loop
    -- Held by any transaction of the worker that is under way: then it is not gone, and the next look finds it again.
    continue when not pg_try_advisory_xact_lock(77420, gone.lock_key);
    update worker w set state = 'gone', gone_at = at, sleeping = false,
           gone_reason = case when gone.expired then 'its lease ran out' else 'its process died' end
     where w.id = gone.id;
    gone_ids := gone_ids || gone.id;
  end loop;
  if gone_ids <> '{}' then
    perform reclaim_tasks(held.worker_id, held.task_ids,
      case w.kind when 'outside' then format('The executor outside, ''%s'', is gone.', w.name)
                  else format('Worker ''%s'' is gone: %s.', w.name, w.gone_reason) end,
      at, case w.kind when 'outside' then 'executor_gone' else 'worker_lost' end)
       from (select t.worker_id, array_agg(t.id) as task_ids from task t where t.worker_id = any (gone_ids) group by t.worker_id) held
       join worker w on w.id = held.worker_id;
  end if;
  return cardinality(gone_ids);
end $$;
comment on function millrace.end_workers(uuid[], timestamptz) is 'Counts workers as gone and takes back what they held; answers how many they were.';
