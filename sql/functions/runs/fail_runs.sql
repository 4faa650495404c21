-- Fails runs and keeps each as one dead letter: the only place where a run becomes failed. Their tasks are locked by the caller.
create or replace function millrace.fail_runs(run_ids uuid[], steps text[], items int[], errors jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  failed uuid[];
begin
  perform lock_run_tasks(run_ids);
  with first as (
    select distinct on (run_id) * from unnest(run_ids, steps, items, errors) with ordinality g(run_id, step, item, error, n)
     order by run_id, n
  ), ended as (
    update run r
       set state = 'failed', finished_at = greatest(fail_runs.at, r.started_at), paused_at = null,
           error = f.error || case when f.step is null then '{}' else jsonb_build_object('step', f.step) end
                           || case when f.item >= 0 then jsonb_build_object('item', f.item) else '{}' end
      from first f
     where r.id = f.run_id and r.finished_at is null
    returning r.id, r.slug, r.tenant, r.error, f.step, f.item
  ), kept as (
    insert into dead_letter (run_id, step, item, slug, tenant, error, failed_at)
    select e.id, e.step, e.item, e.slug, e.tenant, e.error, at from ended e
  )
  select coalesce(array_agg(e.id), '{}') into failed from ended e;
  perform abort_tasks(failed, 'failed', at);
  perform settle_runs(failed, true);
end $$;
comment on function millrace.fail_runs(uuid[], text[], int[], jsonb[], timestamptz) is 'Fails runs and keeps each as one dead letter.';
