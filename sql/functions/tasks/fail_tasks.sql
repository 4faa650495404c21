-- Fails a batch of tasks of one worker: each is tried again after its delay, or, out of attempts or not worth one, is given up: that fails
-- its run, unless its step says otherwise (see give_up_steps). Fenced as complete_tasks is; what the caller no longer holds is answered as lost. This function never raises for a
-- number that grew too large: a failure that can't be recorded would leave the step running for ever.
create or replace function millrace.fail_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], errors jsonb[],
  randoms float8[], retry_delays_ms float8[] default null)
returns table (kind text, task_id bigint, retry_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  failed record;
  seen boolean[] := array_fill(false, array[cardinality(task_ids)]);
  dead_runs uuid[] := array[]::uuid[];
  dead_steps int[] := array[]::int[];
  dead_items int[] := array[]::int[];
  dead_attempts int[] := array[]::int[];
  dead_priorities smallint[] := array[]::smallint[];
  dead_paused boolean[] := array[]::boolean[];
  dead_errors jsonb[] := array[]::jsonb[];
  left_runs uuid[] := array[]::uuid[];
  retried boolean := false;
  given_back bigint[];
  failed_holds bigint[];
  failed_runs uuid[];
  failed_steps int[];
  failed_values jsonb[];
begin
  if not enter_worker(fail_tasks.worker_id, fail_tasks.lock_key) then
    return query select 'lost', l.id, null::timestamptz from unnest(task_ids) l(id);
    return;
  end if;
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  -- A failing run locks all its tasks, in the order of their ids; so do two branches that fail it at once.
  perform lock_failing_runs(array_agg(t.run_id), array_agg(t.step_id))
     from unnest(task_ids, errors) g(id, error) join task t on t.id = any (array[g.id]) and t.aborted_at is null
     join step_definition d on d.id = t.step_id
    where t.failures + 1 >= case when d.retry_rules is null then d.max_attempts else (retry_policy(d, g.error)).max_attempts end
       or (g.error ->> 'retryable') = 'false' or d.retry_pacing = 'fail';

  for failed in
    with given as (
      select * from unnest(task_ids, step_ids, attempts, errors, randoms, retry_delays_ms)
               with ordinality g(task_id, step_id, attempt, error, random, delay_ms, place) order by g.task_id
    ), removed as (
      delete from task t
       using given g join step_definition d on d.id = g.step_id
       where t.id = any (array[g.task_id]) and t.worker_id = fail_tasks.worker_id and t.attempt = g.attempt and t.step_id = g.step_id
      returning g.place, g.error, t.*, d.step, d as definition,
                case when t.aborted_at is null and (g.error ->> 'retryable') is distinct from 'false'
                          and t.failures + 1 < case when d.retry_rules is null then d.max_attempts else (retry_policy(d, g.error)).max_attempts end
                     then at + make_interval(secs => greatest(0, least(coalesce(
                          g.delay_ms,
                          case when g.error ?| array['retry_after_ms', 'retry_at'] then stated_delay(g.error, at) end,
                          retry_delay(case when d.retry_rules is null then d else retry_policy(d, g.error) end, t.failures + 1, g.random)), 31536000000)) / 1000)
                end as wanted_at
    ), paced as materialized (
      select p.place, p.again_at, p.reason
        from (select array_agg(r.place) as places, array_agg(r.definition) as definitions, array_agg(r.wanted_at) as wanted_ats
                from removed r where (r.definition).retry_pacing is not null and r.wanted_at is not null) g
       cross join lateral pace_retries(g.places, g.definitions, g.wanted_ats, at) p where g.places is not null
    ), judged as (
      select r.*, case when p.place is null then r.wanted_at else p.again_at end as again_at, p.reason as held_reason
        from removed r left join paced p on p.place = r.place
    ), written as (
      insert into attempt (run_id, step, item, attempt, worker_id, outcome, error, reason, ready_at, started_at, finished_at, retry_at)
      select r.run_id, r.step, r.item, r.attempt, r.worker_id,
             case when r.abort_reason = 'cancelled' then 'cancelled' else 'failed' end,
             coalesce(r.error, '{"code": "unknown", "message": "No reason was given."}'), r.held_reason,
             r.ready_at, r.claimed_at, greatest(at, r.claimed_at), r.again_at
        from judged r
    ), parked as (
      insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, paused)
      select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures + 1, 'retry', r.again_at, r.paused
        from judged r where r.again_at > at or (r.again_at is not null and r.paused)
    ), again as (
      insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
      select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures + 1, at
        from judged r where r.again_at <= at and not r.paused
    )
    select r.place, r.id, r.run_id, r.step_id, r.item, r.attempt, r.priority, r.paused, r.error, r.aborted_at, r.again_at, r.holds, r.item_value from judged r
  loop
    given_back := given_back || failed.holds;
    if failed.aborted_at is null then
      failed_holds := failed_holds || failed.holds;
      failed_runs := failed_runs || failed.run_id;
      failed_steps := failed_steps || failed.step_id;
      failed_values := failed_values || array[failed.item_value];
    end if;
    seen[failed.place] := true;
    if failed.again_at is not null then
      retried := retried or failed.again_at <= at;
      kind := 'retry';
      task_id := failed.id;
      retry_at := failed.again_at;
      return next;
    elsif failed.aborted_at is not null then
      left_runs := left_runs || failed.run_id;
    else
      dead_runs := dead_runs || failed.run_id;
      dead_steps := dead_steps || failed.step_id;
      dead_items := dead_items || failed.item;
      dead_attempts := dead_attempts || failed.attempt;
      dead_priorities := dead_priorities || failed.priority;
      dead_paused := dead_paused || failed.paused;
      dead_errors := dead_errors || coalesce(failed.error, '{"code": "unknown", "message": "No reason was given."}');
    end if;
  end loop;

  if failed_runs is not null then
    perform count_failures(failed_runs, failed_steps, failed_values, failed_holds, given_back, at);
  end if;
  if given_back is not null then
    perform release_limits(given_back, at);
  end if;
  if dead_runs <> '{}' then
    perform give_up_steps(dead_runs, dead_steps, dead_items, dead_attempts, dead_priorities, dead_paused, dead_errors, at);
  end if;
  if left_runs <> '{}' then
    perform advance_outcomes(left_runs, at);
  end if;
  if retried then
    perform wake_workers(false);
  end if;
  return query
    select 'lost', g.id, null::timestamptz from unnest(task_ids) with ordinality g(id, place) where not seen[g.place];
end $$;
comment on function millrace.fail_tasks(uuid, int, bigint[], int[], int[], jsonb[], float8[], float8[])
  is 'Fails a batch of tasks: tried again after a delay, or given up.';
