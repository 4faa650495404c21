-- What a worker holds: asked when an answer was lost and it does not know what it was given. It names what it knows (task, step and
-- attempt: a chain's next step keeps the task's id). What was aborted before the worker knew of it will never begin, so it is given back
-- here, at once; what was aborted while it runs stays with the worker, which records how it ends. A worker that names nothing (null, as
-- the former version does) gets nothing given back.
create or replace function millrace.list_held_tasks(
  worker_id uuid, lock_key int, task_ids bigint[] default null, step_ids int[] default null, attempts int[] default null)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  unknown record;
begin
  if not enter_worker(list_held_tasks.worker_id, list_held_tasks.lock_key) then
    return;
  end if;
  if task_ids is not null then
    select array_agg(t.id) as task_ids, array_agg(t.step_id) as step_ids, array_agg(t.attempt) as attempts into unknown
      from task t
     where t.worker_id = list_held_tasks.worker_id and t.aborted_at is not null
       and not exists (select from unnest(list_held_tasks.task_ids, list_held_tasks.step_ids, list_held_tasks.attempts) g(task_id, step_id, attempt)
                        where g.task_id = t.id and g.step_id = t.step_id and g.attempt = t.attempt);
    if unknown.task_ids is not null then
      perform release_tasks(list_held_tasks.worker_id, list_held_tasks.lock_key, unknown.task_ids, unknown.step_ids, unknown.attempts,
                            'its run ended before the worker knew of it');
    end if;
  end if;
  return query
    select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
           r.input, r.tenant, r.key, r.headers, r.created_at
      from task t join run r on r.id = t.run_id
     where t.worker_id = list_held_tasks.worker_id and t.aborted_at is null;
end $$;
comment on function millrace.list_held_tasks(uuid, int, bigint[], int[], int[])
  is 'Everything that a worker holds and may begin; what was aborted before it knew of it is given back.';
