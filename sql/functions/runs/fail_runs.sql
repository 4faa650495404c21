-- Fails runs. What is under way of them is aborted. Where something follows a failure (undo steps, onFailure), the run stays live until that
-- has ended; else it ends here. A run whose outcome is known already keeps it. Their tasks are locked by the caller.
create or replace function millrace.fail_runs(run_ids uuid[], steps text[], items int[], errors jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  first record;
  staged uuid[];
begin
  perform lock_run_tasks(run_ids);
  select array_agg(f.run_id) as runs, array_agg(f.step) as steps, array_agg(f.item) as items, array_agg(f.told) as errors into first
    from (select distinct on (g.run_id) g.run_id, g.step, g.item,
                 g.error || case when g.step is null then '{}' else jsonb_build_object('step', g.step) end
                         || case when g.item >= 0 then jsonb_build_object('item', g.item) else '{}' end as told
            from unnest(run_ids, steps, items, errors) with ordinality g(run_id, step, item, error, n)
           order by g.run_id, g.n) f
    join run r on r.id = f.run_id and r.finished_at is null and r.outcome is null;
  if first.runs is null then
    return;
  end if;
  with marked as (
    update run r set outcome = 'failed', outcome_error = f.error, outcome_step = f.step, outcome_item = f.item
      from unnest(first.runs, first.steps, first.items, first.errors) f(run_id, step, item, error)
     where r.id = f.run_id and r.finished_at is null and r.outcome is null
       and exists (select from step_definition d where d.slug = r.slug and d.version = r.version and (d.kind = 'undo' or d.follows = 'failed'))
    returning r.id
  )
  select coalesce(array_agg(m.id), '{}') into staged from marked m;
  if staged <> '{}' then
    perform begin_outcomes(staged, 'failed', 'its parent failed', at);
  end if;
  perform bury_runs(array_agg(f.run_id), array_agg(f.step), array_agg(f.item), array_agg(f.error), at)
     from unnest(first.runs, first.steps, first.items, first.errors) f(run_id, step, item, error) where f.run_id <> all (staged)
   having count(*) > 0;
end $$;
comment on function millrace.fail_runs(uuid[], text[], int[], jsonb[], timestamptz) is 'Fails runs: at once, or once what follows a failure has ended.';
