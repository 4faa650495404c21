-- What a worker holds: asked when an answer was lost and it does not know what it was given. With `with_aborted` also what it must not
-- begin any more, since the run has ended: what of that it never began, it gives back by release_tasks, as nobody else can know. What was
-- aborted while it runs stays with the worker, which records how it ends.
create or replace function millrace.list_held_tasks(worker_id uuid, lock_key int, with_aborted boolean default false)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz, aborted boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if not enter_worker(list_held_tasks.worker_id, list_held_tasks.lock_key) then
    return;
  end if;
  return query
    select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
           r.input, r.tenant, r.key, r.headers, r.created_at, t.aborted_at is not null
      from task t join run r on r.id = any (array[t.run_id])
     where t.worker_id = list_held_tasks.worker_id and (with_aborted or t.aborted_at is null);
end $$;
comment on function millrace.list_held_tasks(uuid, int, boolean) is 'Everything that a worker holds; with_aborted also what it must not begin any more.';
