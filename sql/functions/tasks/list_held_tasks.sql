-- Everything that a worker holds: what it asks when an answer was lost and it does not know what it was given.
create or replace function millrace.list_held_tasks(worker_id uuid, lock_key int)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if not enter_worker(list_held_tasks.worker_id, list_held_tasks.lock_key) then
    return;
  end if;
  return query
    select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
           r.input, r.tenant, r.key, r.headers, r.created_at
      from task t join run r on r.id = t.run_id
     where t.worker_id = list_held_tasks.worker_id and t.aborted_at is null;
end $$;
comment on function millrace.list_held_tasks(uuid, int) is 'Everything that a worker holds.';
