-- What a person orders a worker to do: pause (claim nothing, keep what it holds), drain (finish and stop), or null, to resume. It hears
-- of it with its next heartbeat, and no claim is answered from now on.
create or replace function millrace.order_worker(worker_id uuid, ordered text) returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  changed boolean;
begin
  perform 1 from worker w where w.id = order_worker.worker_id and w.kind = 'worker' and w.state <> 'gone' for update;
  if not found then
    raise exception 'There is no live worker %.', order_worker.worker_id using errcode = 'MR010', hint = 'Gone workers take no orders.';
  end if;
  update worker w set ordered_state = ordered
   where w.id = order_worker.worker_id and w.ordered_state is distinct from ordered and w.ordered_state is distinct from 'draining'
  returning true into changed;
  perform wake_workers(true);
  if changed then
    perform write_audit(case ordered when 'paused' then 'worker.paused' when 'draining' then 'worker.drained' else 'worker.resumed' end, 'worker', order_worker.worker_id::text);
  end if;
  return coalesce(changed, false);
end $$;
comment on function millrace.order_worker(uuid, text) is 'What a person orders a worker to do.';
