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
  -- Each by itself: what one of them comes upon keeps none of the others from its work.
  for part in 1 .. 6 loop
    begin
      case part
        when 1 then perform fail_silent_runs(at);
        when 2 then perform carry_out_cancellations(1000, at);
        when 3 then perform begin_held_starts(at);
        when 4 then perform look_after_turns();
        when 5 then perform age_tasks(at);
        else perform call_left_waiters(at);
      end case;
    exception
      when lock_not_available or deadlock_detected then
        null;
      when others then
        if is_passing_fault(sqlstate) then
          raise;
        end if;
        perform tell_set_aside(format('Part %s of a sweep', part), sqlstate, sqlerrm);
    end;
  end loop;
  return swept;
end $$;
comment on function millrace.sweep_workers(uuid) is 'Takes back what gone workers held; answers how many were gone.';
