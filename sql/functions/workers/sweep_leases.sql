-- The sweep of a worker that has just connected. It judges nobody by locks: whatever cut its own connection may have cut those of others, who live.
-- A lease is another matter. It is over by the database's clock, and who holds it has counted itself as gone before that, by its own: so nobody needs to have
-- been here for long to see it, and where workers only live for moments no other one ever does. Two things it can't know. A failover may have lost the last
-- heartbeats, or moved the clock: so one more lease must have gone by. And a silence that all shared says nothing about others: so somebody must have been
-- heard after that, and all who live must have had ten seconds since to be heard again. Of runs that are reported from outside nobody may have been heard either.
create or replace function millrace.sweep_leases(sweeper uuid) returns int
language plpgsql
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  swept int;
begin
  swept := end_workers(array(
    select w.id from worker w cross join lateral (select w.lease_expires_at + make_interval(secs => w.lease_seconds) as ended_at) l
     where w.state <> 'gone' and w.id <> sweeper and l.ended_at < at - interval '10 seconds'
       and at > pg_postmaster_start_time() + make_interval(secs => w.lease_seconds)
       and exists (select from worker o where o.heartbeat_at between l.ended_at and at - interval '10 seconds'
                                           or o.started_at between l.ended_at and at - interval '10 seconds')), at);
  perform look_after_all(at, false);
  return swept;
end $$;
comment on function millrace.sweep_leases(uuid) is 'Takes back what workers held whose leases are long over; answers how many they were.';
