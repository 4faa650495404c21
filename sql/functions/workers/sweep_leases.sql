-- The sweep of a worker that has just connected. It judges nobody by locks: whatever cut its own connection may have cut those of others, who live.
-- A lease is another matter. It is over by the database's clock, and who holds it has counted itself as gone before that, by its own: so nobody needs to have
-- been here for long to see it, and where workers only live for moments no other one ever does. Two things it can't know. A failover may have lost the last
-- heartbeats, or moved the clock: so one more lease must have gone by. And a silence that it shared says nothing about others: so it must
-- have been heard itself, or have registered, after that, and all who live had time to be heard again.
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
    select w.id from worker own join worker w on w.lease_expires_at + make_interval(secs => w.lease_seconds) < own.heartbeat_at
     where own.id = sweeper and w.state <> 'gone' and w.id <> sweeper and at > pg_postmaster_start_time() + make_interval(secs => w.lease_seconds)), at);
  perform look_after_all(at);
  return swept;
end $$;
comment on function millrace.sweep_leases(uuid) is 'Takes back what workers held whose leases are long over; answers how many they were.';
