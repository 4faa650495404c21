-- Claims up to `room` batches for a worker: of each step so many tasks as it takes at once, or what there is once the oldest has waited for its
-- time. Each task is an attempt of its own, with its own fence; that they came together is told to each of their runs. A row without a task
-- says in how many milliseconds the next batch is due.
--
-- One worker at a time gathers what is ready of a step; another comes again a moment later. Tasks are counted before they are locked, so that
-- gathering writes nothing, and judged once more by what could be locked. Handlers come in the order in which they are given, which workers turn.
create or replace function millrace.claim_batches(worker_id uuid, lock_key int, room int, handlers int[])
returns table (due_ms int, batch int, task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  left_over int := least(room, 1000);
  claimed int := 0;
  definition step_definition;
  found_batch record;
  wanted_ids bigint[];
  wanted_batches int[];
  wanted_count int;
  claimed_count int;
  begun uuid[] := array[]::uuid[];
  next_at timestamptz;
  state text;
begin
  if left_over <= 0 or not enter_worker(claim_batches.worker_id, claim_batches.lock_key)
     or exists (select from worker w where w.id = claim_batches.worker_id and (w.ordered_state is not null or w.state = 'draining')) then
    return;
  end if;
  for definition in
    select d.* from step_definition d
     where d.handler = any (handlers) and d.batch_size is not null and d.handler <> all (paused_handlers())
     order by array_position(claim_batches.handlers, d.handler)
  loop
    if not pg_try_advisory_xact_lock(77440, definition.handler) then
      next_at := least(next_at, at + interval '20 milliseconds');
      continue;
    end if;
    wanted_ids := array[]::bigint[];
    wanted_batches := array[]::int[];
    wanted_count := 0;
    for found_batch in select b.task_ids, b.is_full, b.due_at from find_batches(definition, left_over) b loop
      if not found_batch.is_full and found_batch.due_at > at then
        next_at := least(next_at, found_batch.due_at);
      elsif wanted_count < left_over then
        wanted_count := wanted_count + 1;
        wanted_ids := wanted_ids || found_batch.task_ids;
        wanted_batches := wanted_batches || array_fill(wanted_count, array[cardinality(found_batch.task_ids)]);
      end if;
    end loop;
    continue when wanted_count = 0;

    claimed_count := 0;
    for batch, task_id, run_id, step_id, item, item_value, attempt, priority, handler, failures, input, tenant, key, headers, run_created_at, state in
      with locked as materialized (
        select t.id, t.ready_at, w.batch, w.place
          from unnest(wanted_ids, wanted_batches) with ordinality w(id, batch, place) join task t on t.id = any (array[w.id])
         where t.handler + 0 = definition.handler and t.claimed_at is null
         order by w.id for no key update of t skip locked
      ), counted as (
        select l.*, count(*) over (partition by l.batch) as members, min(l.ready_at) over (partition by l.batch) as oldest_at from locked l
      ), whole as materialized (
        select c.id, c.place, dense_rank() over (order by c.batch) as n from counted c
         where c.members = definition.batch_size or c.oldest_at <= at - make_interval(secs => definition.batch_ms / 1000.0)
      ), taken as (
        update task t set worker_id = claim_batches.worker_id, claimed_at = greatest(at, t.ready_at), attempt = t.attempt + 1
          from whole w where t.id = any (array[w.id])
        returning t.*, w.n, w.place
      )
      select claimed + t.n, t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
             r.input, r.tenant, r.key, r.headers, r.created_at, r.state
        from taken t join run r on r.id = any (array[t.run_id]) order by t.n, t.place
    loop
      claimed_count := greatest(claimed_count, batch - claimed);
      if state = 'pending' then
        begun := begun || run_id;
      end if;
      return next;
    end loop;
    perform tell_batches(claim_batches.worker_id, definition, wanted_ids, wanted_batches);
    if claimed_count < wanted_count then
      next_at := least(next_at, at + interval '20 milliseconds');
    end if;
    claimed := claimed + claimed_count;
    left_over := left_over - claimed_count;
    exit when left_over <= 0;
  end loop;
  if begun <> '{}' then
    perform begin_runs(begun, at);
  end if;
  if next_at is not null then
    due_ms := least(2147483647, ceil(greatest(0, extract(epoch from next_at - at)) * 1000));
    batch := null;
    task_id := null;
    return next;
  end if;
end $$;
comment on function millrace.claim_batches(uuid, int, int, int[]) is 'Claims up to room batches for a worker, and says when the next is due.';
