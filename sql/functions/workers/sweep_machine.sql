-- The other workers of a worker's machine, after those of them are counted as gone whose processes it saw to be dead. A lost connection is
-- no dead process, so who has just connected judges nobody by their locks; a process that is not there any more needs no such doubt, and
-- a lone worker that was killed and started again does not wait for its own lease. Silence for a second is asked for all the same.
create or replace function millrace.sweep_machine(worker_id uuid, lock_key int, dead uuid[] default '{}')
returns table (id uuid, process_id int)
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  own worker;
begin
  if not enter_worker(sweep_machine.worker_id, sweep_machine.lock_key) then
    return;
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  select w.* into own from worker w where w.id = sweep_machine.worker_id;
  if dead <> '{}' then
    perform end_workers(array(select w.id from worker w where w.id = any (dead) and w.id <> own.id
                                 and w.kind = 'worker' and w.machine = own.machine and w.host = own.host), millrace.now());
  end if;
  return query
    select w.id, w.process_id from worker w
     where w.state <> 'gone' and w.kind = 'worker' and w.id <> own.id and w.machine = own.machine and w.host = own.host
       and w.process_id is not null;
end $$;
comment on function millrace.sweep_machine(uuid, int, uuid[]) is 'The other workers of a worker''s machine, after those whose processes it saw to be dead were counted as gone.';
