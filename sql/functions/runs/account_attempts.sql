-- The attempts of a run in order, at most 50 a step and 1,000 in all: of a map those that did not complete first, then the slowest; of all steps
-- together those that failed, then the others that did not complete, then the earliest.
create or replace function millrace.account_attempts(told_run uuid) returns jsonb
language sql stable
as $$
  with ranked as (
    select a.*, count(*) over () as total,
           row_number() over (partition by a.step order by a.item >= 0 and a.outcome = 'completed', a.attempt desc,
                              a.finished_at - a.started_at desc, a.item) as place
      from (select run_id, step, item, attempt, worker_id, outcome, error, writes, reason, ready_at, started_at, finished_at, retry_at
              from millrace.attempt where run_id = told_run) a
  ), kept as (
    select * from ranked where place <= 50
     order by outcome not in ('failed', 'reclaimed'), outcome in ('completed', 'skipped'), started_at, step, item, attempt limit 1000
  )
  select jsonb_build_object(
           'total', coalesce(max(k.total), 0),
           'listed', coalesce(jsonb_agg(jsonb_build_object(
             'step', k.step, 'item', nullif(k.item, -1), 'attempt', k.attempt, 'outcome', k.outcome,
             'worker', case when w.id is not null then jsonb_build_object(
               'kind', w.kind, 'name', w.name, 'host', w.host, 'process_id', w.process_id) end,
             'ready_at', k.ready_at, 'started_at', k.started_at, 'finished_at', k.finished_at, 'retry_at', k.retry_at,
             'error', k.error - 'stack', 'reason', k.reason, 'writes', k.writes
           ) order by k.started_at, k.step, k.item, k.attempt), '[]'))
    from kept k left join millrace.worker w on w.id = k.worker_id
$$;
comment on function millrace.account_attempts(uuid) is 'The attempts of a run, bounded.';
