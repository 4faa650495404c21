-- What a worker needs to begin a task that came to it without a claim, in one value: what claim_tasks answers, and what is stored for a step
-- that goes on, so that it need not be asked for.
create or replace function millrace.tell_claimed(task_id bigint) returns jsonb
language plpgsql stable
as $$
begin
  return (
    select jsonb_build_object('task_id', t.id, 'run_id', t.run_id, 'step_id', t.step_id, 'item', t.item, 'item_value', t.item_value,
                              'attempt', t.attempt, 'priority', t.priority, 'handler', t.handler, 'failures', t.failures, 'input', r.input,
                              'tenant', r.tenant, 'key', r.key, 'headers', r.headers, 'run_created_at', r.created_at,
                              'checkpoints', case when t.attempt > 1 then (
                                select coalesce(jsonb_agg(to_jsonb(c)), '[]')
                                  from millrace.step_definition d cross join lateral millrace.read_checkpoints(t.run_id, d.step, t.item) c
                                 where d.id = t.step_id) end)
      from millrace.task t join millrace.run r on r.id = t.run_id where t.id = tell_claimed.task_id);
end $$;
comment on function millrace.tell_claimed(bigint) is 'What a worker needs to begin a task that came to it without a claim.';
