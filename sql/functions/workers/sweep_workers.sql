-- Finds workers that are gone and takes back what they held. Gone is who let its lease run out, or who was silent for a second and
-- whose liveness lock the server has freed, as it does when a process dies. A lost connection is not a dead process: nobody is swept
-- sooner than one lease after the server started, and callers wait as long after they connected themselves (see sweep_leases).
create or replace function millrace.sweep_workers(sweeper uuid) returns int
language plpgsql
-- Somebody's open transaction on a run must not keep a sweeper from its own heartbeat: the next sweep tries again.
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  swept int := 0;
begin
  if exists (select from worker w where w.state <> 'gone' and w.id <> sweeper and w.heartbeat_at < at - interval '1 second') then
    swept := end_workers(array(
      select w.id from worker w
       where w.state <> 'gone' and w.id <> sweeper and at > pg_postmaster_start_time() + make_interval(secs => w.lease_seconds)
         and (w.lease_expires_at < at
           or (w.locked and w.heartbeat_at < at - interval '1 second' and not exists (
                 select from pg_locks l
                  where l.locktype = 'advisory' and l.classid = 77421 and l.objid = w.lock_key::oid and l.objsubid = 2 and l.granted
                    and l.database = (select oid from pg_database where datname = current_database()))))), at);
  end if;
  perform look_after_all(at, true);
  return swept;
end $$;
comment on function millrace.sweep_workers(uuid) is 'Takes back what gone workers held; answers how many were gone.';
