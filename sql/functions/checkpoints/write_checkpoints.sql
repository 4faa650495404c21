-- Stores the results of durable operations in one batch, fenced by their tasks' rows, which no reclaim can take in between. A name that is
-- stored already keeps its first value and is answered as kept; what the attempt no longer holds is lost. An endpoint that answered at
-- once is waited for no more: its wait goes.
create or replace function millrace.write_checkpoints(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], names text[], places int[], kinds text[],
  results jsonb[], errors jsonb[])
returns table (kind text, task_id bigint, name text)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  stored_count bigint;
begin
  if not enter_worker(write_checkpoints.worker_id, write_checkpoints.lock_key) then
    return query select 'lost', l.id, l.name from unnest(task_ids, names) l(id, name);
    return;
  end if;
  -- Each task is looked up and locked once, however many results it has in the batch.
  with held as materialized (
    select t.id, t.run_id, t.step_id, t.item, t.attempt, d.step
      from task t join step_definition d on d.id = t.step_id
     where t.id = any (task_ids) and t.worker_id = write_checkpoints.worker_id and t.aborted_at is null
     order by t.id for share of t
  ), stored as (
    insert into checkpoint (run_id, step, item, name, place, kind, attempt, value, error, created_at)
    select h.run_id, h.step, h.item, g.name, g.place, g.kind, h.attempt, case when g.error is null then coalesce(g.value, 'null') end, g.error, at
      from unnest(task_ids, step_ids, attempts, names, places, kinds, results, errors)
             with ordinality g(task_id, step_id, attempt, name, place, kind, value, error, n)
      join held h on h.id = g.task_id and h.step_id = g.step_id and h.attempt = g.attempt
     order by g.n
        on conflict (run_id, step, item, name) do nothing
    returning 1
  )
  select count(*) into stored_count from stored;

  if 'http' = any (kinds) then
    perform drop_waits(array(
      select w.id from unnest(task_ids, step_ids, attempts, names, kinds) g(task_id, step_id, attempt, name, kind)
       cross join lateral (
         select t.run_id, t.item from task t
          where t.id = g.task_id and t.step_id = g.step_id and t.attempt = g.attempt
            and t.worker_id = write_checkpoints.worker_id and t.aborted_at is null limit 1) t
       cross join lateral (
         select w.id from wait w where w.run_id = t.run_id and w.step_id = g.step_id and w.item = t.item and w.name = g.name and w.kind = 'http' limit 1) w
       where g.kind = 'http'), at);
  end if;
  if stored_count = cardinality(task_ids) then
    return;
  end if;
  return query
    with held as materialized (
      select t.id, t.run_id, t.step_id, t.item, t.attempt, d.step
        from task t join step_definition d on d.id = t.step_id
       where t.id = any (task_ids) and t.worker_id = write_checkpoints.worker_id and t.aborted_at is null
    )
    select case when h.id is null then 'lost' else 'kept' end, g.task_id, g.name
      from unnest(task_ids, step_ids, attempts, names) with ordinality g(task_id, step_id, attempt, name, n)
      left join held h on h.id = g.task_id and h.step_id = g.step_id and h.attempt = g.attempt
      left join lateral (
        select c.xmin as stored_by from checkpoint c
         where c.run_id = h.run_id and c.step = h.step and c.item = h.item and c.name = g.name limit 1) c on true
     where h.id is null or c.stored_by <> pg_current_xact_id()::xid
     order by g.n;
end $$;
comment on function millrace.write_checkpoints(uuid, int, bigint[], int[], int[], text[], int[], text[], jsonb[], jsonb[])
  is 'Stores the results of durable operations; answers for what is lost or stored already.';
