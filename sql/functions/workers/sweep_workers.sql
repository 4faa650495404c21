-- Finds workers that are gone and takes back what they held. Gone is who let its lease run out, or who was silent for a second and
-- whose liveness lock the server has freed, as it does when a process dies. A lost connection is not a dead process: nobody is swept
-- sooner than one lease after the server started (and callers wait as long after they connected themselves).
create or replace function millrace.sweep_workers(sweeper uuid) returns int
language plpgsql
-- Somebody's open transaction on a run must not keep a sweeper from its own heartbeat: the next sweep tries again.
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  gone record;
  gone_ids uuid[] := array[]::uuid[];
begin
  if exists (select from worker w where w.state <> 'gone' and w.id <> sweeper and w.heartbeat_at < at - interval '1 second') then
    for gone in
      with free as (
        select w.id from worker w
         where w.state <> 'gone' and w.id <> sweeper and at > pg_postmaster_start_time() + make_interval(secs => w.lease_seconds)
           and (w.lease_expires_at < at
             or (w.locked and w.heartbeat_at < at - interval '1 second' and not exists (
                   select from pg_locks l
                    where l.locktype = 'advisory' and l.classid = 77421 and l.objid = w.lock_key::oid and l.objsubid = 2 and l.granted
                      and l.database = (select oid from pg_database where datname = current_database()))))
      )
      select w.id, w.lock_key, w.lease_expires_at < at as expired
        from worker w join free on free.id = w.id
       where w.state <> 'gone' and (w.lease_expires_at < at or (w.locked and w.heartbeat_at < at - interval '1 second'))
       order by w.id limit 100 for update of w skip locked
    loop
      -- Held by any transaction of the worker that is under way: then it is not gone, and the next sweep looks again.
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
  end if;
  perform fail_silent_runs(at);
  perform carry_out_cancellations(1000, at);
  return cardinality(gone_ids);
end $$;
comment on function millrace.sweep_workers(uuid) is 'Takes back what gone workers held; answers how many were gone.';
