-- The steps of a run in an order in which each comes after what it needs, with their attempts counted by outcome and their tasks by what
-- they do. A map, and what undoes one, says over how many items it goes, once that is known, how many of them failed for good or wait for their
-- turn, and which three took longest. ended_as is the outcome of what ended as a whole: of a step, or of a map as onError says. What was
-- tried again after it had failed, by a redrive, counts by its latest attempt.
create or replace function millrace.account_steps(told_run uuid, told_slug text, told_version int) returns jsonb
language sql stable
as $$
  with counted as (
    select a.step, count(*) as attempts,
           count(*) filter (where a.outcome = 'completed') as completed, count(*) filter (where a.outcome = 'skipped') as skipped,
           count(*) filter (where a.outcome = 'failed') as failed, count(*) filter (where a.outcome = 'reclaimed') as reclaimed,
           count(*) filter (where a.outcome = 'released') as released, count(*) filter (where a.outcome = 'cancelled') as cancelled,
           count(*) filter (where a.outcome = 'parked') as parked,
           count(distinct a.item) filter (where a.outcome in ('failed', 'reclaimed')) as items_with_failures,
           count(*) filter (where a.item >= 0 and a.is_latest and a.outcome in ('failed', 'reclaimed') and a.retry_at is null) as given_up,
           max(case when a.outcome in ('completed', 'skipped') then a.outcome
                    when a.outcome in ('failed', 'reclaimed') and a.retry_at is null then 'failed' end) filter (where a.item = -1 and a.is_latest) as ended_as,
           -- A list has a place for each item of a map, also of those that were skipped or given up; what undoes a map goes over those with an effect.
           max(a.item) filter (where a.item >= 0) + 1 as mapped,
           count(*) filter (where a.item >= 0 and a.outcome = 'completed' and a.worker_id is not null) as undoable,
           min(a.started_at) as started_at, max(a.finished_at) as finished_at,
           sum(extract(epoch from a.finished_at - a.started_at)) * 1000 as running_ms,
           max(a.listed) as listed
      from (select t.step, t.item, t.outcome, t.worker_id, t.retry_at, t.started_at, t.finished_at,
                   lead(t.attempt) over (partition by t.step, t.item order by t.attempt) is null as is_latest,
                   case when t.item = -1 and jsonb_typeof(t.output) = 'array' then jsonb_array_length(t.output) end as listed
              from millrace.attempt t where t.run_id = told_run) a
     group by a.step
  ), held as (
    -- What is ready and left for want of room under a limit waits.
    select t.step_id, t.running, case when l.state_id is null then t.unheld else 0 end as ready, case when l.state_id is null then 0 else t.unheld end as waiting
      from (select t.step_id, t.handler, count(*) filter (where t.worker_id is not null) as running, count(*) filter (where t.worker_id is null) as unheld
              from millrace.task t where t.run_id = told_run group by t.step_id, t.handler) t
     cross join lateral (select case when t.unheld > 0 then millrace.lane_limit(t.handler) end as state_id offset 0) l
    union all
    select w.step_id, 0, 0, count(*) from millrace.waiting_task w where w.run_id = told_run group by w.step_id
  ), live as (
    select h.step_id, sum(h.running)::int as running, sum(h.ready)::int as ready, sum(h.waiting)::int as waiting from held h group by h.step_id
  )
  select coalesce(jsonb_agg(jsonb_build_object(
           'step', d.step, 'kind', d.kind, 'over', d.over, 'undoes', d.undoes, 'follows', d.follows, 'needs', d.needs, 'queue', h.queue, 'max_attempts', d.max_attempts,
           'tx', coalesce((g.node ->> 'tx')::boolean, false), 'when', coalesce((g.node ->> 'when')::boolean, false),
           'items', case d.kind when 'map' then coalesce(source.listed, case when source.ended_as is null and (c.step is not null or l.step_id is not null) then source.mapped end)
                                when 'undo' then nullif(source.undoable, 0) end,
           'attempts', coalesce(c.attempts, 0), 'completed', coalesce(c.completed, 0), 'skipped', coalesce(c.skipped, 0),
           'failed', coalesce(c.failed, 0), 'reclaimed', coalesce(c.reclaimed, 0), 'released', coalesce(c.released, 0),
           'cancelled', coalesce(c.cancelled, 0), 'parked', coalesce(c.parked, 0), 'items_with_failures', coalesce(c.items_with_failures, 0),
           'given_up', coalesce(c.given_up, 0), 'ended_as', c.ended_as, 'concurrency', d.concurrency,
           'fail_after', coalesce(d.fail_after_items::text, d.fail_after_percent || '%'),
           'held_back', case when d.concurrency is not null then (
             select count(*) from millrace.map_item m where m.run_id = told_run and m.step_id = d.id) else 0 end,
           'running', coalesce(l.running, 0), 'ready', coalesce(l.ready, 0), 'waiting', coalesce(l.waiting, 0),
           'started_at', c.started_at, 'finished_at', c.finished_at, 'running_ms', coalesce(c.running_ms, 0)::float8,
           'slowest', case when d.kind = 'map' or (d.kind = 'undo' and source.undoable > 0) then (
             select coalesce(jsonb_agg(jsonb_build_object('item', s.item, 'ms', s.ms)), '[]')
               from (select a.item, (extract(epoch from a.finished_at - a.started_at) * 1000)::float8 as ms from millrace.attempt a
                      where a.run_id = told_run and a.step = d.step and a.item >= 0 order by 2 desc, 1 limit 3) s) end
         ) order by d.position), '[]')
    from millrace.step_definition d
    join millrace.pipeline_version v on v.slug = d.slug and v.version = d.version
    join millrace.handler h on h.id = d.handler
    left join lateral (select node from jsonb_array_elements(v.graph -> 'steps') node where node ->> 'name' = d.step) g on true
    left join counted c on c.step = d.step
    left join counted source on source.step = coalesce(d.over, d.undoes)
    left join live l on l.step_id = d.id
   where d.slug = told_slug and d.version = told_version and d.kind <> 'end'
     and (d.kind not in ('undo', 'finally') or c.step is not null or l.step_id is not null)
$$;
comment on function millrace.account_steps(uuid, text, int) is 'The steps of a run, with their attempts and tasks counted.';
