-- Registers a worker process under an id of its own, made afresh by each process: a restart never looks like its predecessor.
create or replace function millrace.register_worker(
  worker_id uuid, name text, host text, process_id int, version text, slots int, queues text[], handlers int[], lease_seconds int,
  machine text default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  key int;
begin
  perform refuse_copied_database();
  insert into worker (id, database, kind, state, name, host, process_id, version, slots, queues, handlers, handed_handlers, lease_seconds, machine,
                      started_at, heartbeat_at, lease_expires_at)
  values (register_worker.worker_id, this_database(), 'worker', 'starting', register_worker.name, register_worker.host, register_worker.process_id,
          register_worker.version, register_worker.slots, register_worker.queues, register_worker.handlers,
          array(select h.id from unnest(register_worker.handlers) with ordinality g(id, n) join handler h on h.id = g.id where h.batch is null order by g.n), register_worker.lease_seconds,
          register_worker.machine, at, at, at + make_interval(secs => register_worker.lease_seconds))
  returning lock_key into key;
  perform call_served_waiters(register_worker.handlers, at);
  return key;
end $$;
comment on function millrace.register_worker(uuid, text, text, int, text, int, text[], int[], int, text) is 'Registers a worker; answers with its lock key.';
