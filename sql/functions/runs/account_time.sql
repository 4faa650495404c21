-- Where the time of a run went, each moment counted once: a step ran; else the run was paused; else a task lay in the queue; else
-- retries were waited for; else a step was parked until what it waited for came; else the start was put off. What is left was spent between steps.
create or replace function millrace.account_time(told_run uuid, created_at timestamptz, available_at timestamptz, until timestamptz) returns jsonb
language sql stable
as $$
  with tries as (
    select range_agg(tstzrange(a.started_at, greatest(a.started_at, a.finished_at))) as ran,
           range_agg(tstzrange(a.ready_at, greatest(a.ready_at, a.started_at))) as queued,
           range_agg(tstzrange(a.finished_at, greatest(a.finished_at, a.retry_at))) as retried
      from millrace.attempt a where a.run_id = told_run
  ), parkings as (
    -- Until the next attempt was ready; of the last one until its task woke, or until now.
    select range_agg(tstzrange(p.finished_at, greatest(p.finished_at, coalesce(p.next_ready_at, woken.ready_at, until)))) as parked
      from (select a.step, a.item, a.outcome, a.finished_at,
                   lead(a.ready_at) over (partition by a.step, a.item order by a.attempt) as next_ready_at
              from millrace.attempt a where a.run_id = told_run) p
      left join lateral (
        select t.ready_at from millrace.task t join millrace.step_definition d on d.id = t.step_id
         where p.next_ready_at is null and t.run_id = told_run and d.step = p.step and t.item = p.item) woken on true
     where p.outcome = 'parked'
  ), open as (
    select range_agg(tstzrange(t.claimed_at, greatest(t.claimed_at, until))) filter (where t.worker_id is not null) as ran,
           range_agg(tstzrange(t.ready_at, greatest(t.ready_at, coalesce(t.claimed_at, until)))) as queued
      from millrace.task t where t.run_id = told_run
  ), holds as (
    select range_agg(tstzrange(p.at, greatest(p.at, coalesce(p.next_at, until)))) filter (where p.kind = 'run.paused') as paused
      from (select e.at, e.kind, lead(e.at) over (order by e.id) as next_at
              from millrace.event e where e.run_id = told_run and e.kind in ('run.paused', 'run.resumed')) p
  ), spans as (
    select tstzmultirange(tstzrange(created_at, greatest(created_at, until))) as whole,
           coalesce(tries.ran, '{}') + coalesce(open.ran, '{}') as ran, coalesce(holds.paused, '{}') as paused,
           coalesce(tries.queued, '{}') + coalesce(open.queued, '{}') as queued, coalesce(tries.retried, '{}') as retried,
           coalesce(parkings.parked, '{}') as parked,
           tstzmultirange(tstzrange(created_at, greatest(created_at, available_at))) as delayed
      from tries, parkings, open, holds
  )
  select jsonb_object_agg(part.name, coalesce((
           select sum(extract(epoch from upper(span) - lower(span)) * 1000) from unnest(part.span_set) span), 0)::float8)
    from spans s cross join lateral (values
      ('total_ms', s.whole),
      ('running_ms', s.whole * s.ran),
      ('paused_ms', s.whole * s.paused - s.ran),
      ('queue_ms', s.whole * s.queued - s.ran - s.paused),
      ('retry_ms', s.whole * s.retried - s.ran - s.paused - s.queued),
      ('parked_ms', s.whole * s.parked - s.ran - s.paused - s.queued - s.retried),
      ('delayed_ms', s.whole * s.delayed - s.ran - s.paused - s.queued - s.retried - s.parked),
      ('other_ms', s.whole - s.ran - s.paused - s.queued - s.retried - s.parked - s.delayed)
    ) part(name, span_set)
$$;
comment on function millrace.account_time(uuid, timestamptz, timestamptz, timestamptz) is 'Where the time of a run went, in milliseconds.';
