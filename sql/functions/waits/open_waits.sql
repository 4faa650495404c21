-- Registers waits for the answers of endpoints before these are asked, while the tasks stay with their worker: an answer that comes before
-- the step parks is stored, and found by it. Answers with the tasks that the worker no longer holds.
create or replace function millrace.open_waits(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], waits jsonb[])
returns table (task_id bigint)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  held_ids bigint[];
  held_waits jsonb[];
begin
  if not enter_worker(open_waits.worker_id, open_waits.lock_key) then
    return query select l.id from unnest(task_ids) l(id);
    return;
  end if;
  if exists (select from unnest(waits) w where w <> jsonb_path_query_array(w, '$[*] ? (@.kind == "http")')) then
    perform refuse_argument('waits', 'lists of waits of kind http', 'of another kind');
  end if;
  select array_agg(h.id), array_agg(h.waits) into held_ids, held_waits
    from (select t.id, g.waits from unnest(task_ids, step_ids, attempts, waits) g(task_id, step_id, attempt, waits)
            join task t on t.id = any (array[g.task_id]) and t.step_id = g.step_id and t.attempt = g.attempt
             and t.worker_id = open_waits.worker_id and t.aborted_at is null
           order by g.task_id for update of t) h;
  if held_ids is not null then
    perform register_waits(array_agg(t.run_id), array_agg(t.step_id), array_agg(t.item), array_agg(t.attempt), array_agg(g.waits), millrace.now())
       from unnest(held_ids, held_waits) g(id, waits) join task t on t.id = any (array[g.id]);
  end if;
  return query select g.id from unnest(task_ids) g(id) where g.id <> all (coalesce(held_ids, '{}'));
end $$;
comment on function millrace.open_waits(uuid, int, bigint[], int[], int[], jsonb[])
  is 'Registers waits for the answers of endpoints ahead; answers with the tasks that are lost.';
