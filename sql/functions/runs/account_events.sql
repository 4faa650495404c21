-- The history of a run: what people and rules did, at most the first 200 entries, at most as many of what its steps
-- kept and reused, of the limits that they waited for and of the batches that they were in, and at most the first 100 lines that they logged.
create or replace function millrace.account_events(told_run uuid) returns jsonb
language sql stable
as $$
  with ranked as (
    select e.*, count(*) over () as total, row_number() over (partition by e.kind = 'step.log', e.kind = 'limit.waited', e.kind = 'step.batched', e.kind ~ '^(cache|artifact)\.' order by e.id) as place
      from millrace.event e where e.run_id = told_run
  )
  select jsonb_build_object(
           'total', coalesce(max(r.total), 0),
           'listed', coalesce(jsonb_agg(jsonb_build_object(
             'at', r.at, 'actor', r.actor, 'kind', r.kind, 'step', r.step, 'item', nullif(r.item, -1), 'attempt', r.attempt, 'detail', r.detail
           ) order by r.id), '[]'))
    from ranked r where r.place <= case when r.kind = 'step.log' then 100 else 200 end
$$;
comment on function millrace.account_events(uuid) is 'The history of a run, bounded.';
