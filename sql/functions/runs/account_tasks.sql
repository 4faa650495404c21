-- What is not finished of a run: held by a worker, ready, or waiting for a time, a limit or something to come; at most 50, those held first. What is ready says
-- whether a live worker serves it.
create or replace function millrace.account_tasks(told_run uuid, at timestamptz) returns jsonb
language sql stable
as $$
  with lane as materialized (
    -- What no live worker serves waits for one, but of runs that are executed outside.
    select h.handler, millrace.lane_limit(h.handler) as state_id
      from (select distinct t.handler from millrace.task t where t.run_id = told_run and t.worker_id is null) h
     where h.handler = any (millrace.served_handlers(account_tasks.at)) or (select r.started_via from millrace.run r where r.id = told_run) = 'outside'
  ), open as (
    select t.step_id, t.handler, t.item, t.attempt, t.failures, t.worker_id, t.aborted_at, coalesce(t.claimed_at, t.ready_at) as since,
           case when t.worker_id is not null then 'running' when l.state_id is null then 'ready' else 'waiting' end as state,
           case when t.worker_id is null and l.state_id is not null then 'limit' end as reason, null::timestamptz as available_at,
           case when t.worker_id is null then l.state_id end as limit_state_id
      from millrace.task t left join lane l on l.handler = t.handler where t.run_id = told_run
    union all
    select w.step_id, w.handler, w.item, w.attempt, w.failures, null, null, w.queued_at,
           'waiting', case when w.paused then 'paused' else w.reason end, w.available_at, w.limit_state_id
      from millrace.waiting_task w where w.run_id = told_run
  ), kept as (
    select o.*, count(*) over () as total from open o
     order by array_position(array['running', 'ready', 'waiting'], o.state), coalesce(o.since, o.available_at), o.step_id, o.item limit 50
  )
  select jsonb_build_object(
           'total', coalesce(max(k.total), 0),
           'listed', coalesce(jsonb_agg(jsonb_build_object(
             'step', d.step, 'item', nullif(k.item, -1), 'state', k.state, 'reason', k.reason, 'attempt', k.attempt, 'failures', k.failures,
             'max_attempts', d.max_attempts, 'since', k.since, 'available_at', k.available_at, 'is_aborted', k.aborted_at is not null,
             'worker', case when w.id is not null then jsonb_build_object(
               'kind', w.kind, 'name', w.name, 'host', w.host, 'process_id', w.process_id) end,
             'waits', case when k.reason = 'waiting' then account_waits(told_run, k.step_id, k.item) else '[]' end,
             'limit', (select jsonb_build_object('name', r.name, 'key', s.key) from millrace.limit_state s join millrace.limit_rule r on r.id = s.rule_id
                        where s.id = k.limit_state_id),
             'batch', case when k.state not in ('running', 'waiting') and d.batch_size is not null then jsonb_build_object(
               'size', d.batch_size, 'due_at', k.since + make_interval(secs => d.batch_ms / 1000.0)) end,
             'is_served', k.state <> 'ready' or exists (
               select from millrace.worker live
                where live.kind = 'worker' and live.state in ('starting', 'idle', 'running') and live.ordered_state is null
                  and live.lease_expires_at > account_tasks.at and k.handler = any (live.handlers))
           ) order by array_position(array['running', 'ready', 'waiting'], k.state), coalesce(k.since, k.available_at), d.position, k.item), '[]'))
    from kept k
    join millrace.step_definition d on d.id = k.step_id
    left join millrace.worker w on w.id = k.worker_id
$$;
comment on function millrace.account_tasks(uuid, timestamptz) is 'What is not finished of a run, bounded.';
