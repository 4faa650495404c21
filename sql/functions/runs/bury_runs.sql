-- Ends runs as failed, and keeps each as one dead letter: the only place where a run becomes failed. Nothing of them is under way any more
-- but what is aborted here.
create or replace function millrace.bury_runs(run_ids uuid[], steps text[], items int[], errors jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  failed uuid[];
begin
  with ended as (
    update run r set state = 'failed', finished_at = greatest(bury_runs.at, r.started_at), paused_at = null, error = f.error
      from unnest(run_ids, steps, items, errors) f(run_id, step, item, error)
     where r.id = f.run_id and r.finished_at is null
    returning r.id, r.slug, r.tenant, r.error, f.step, f.item
  ), kept as (
    insert into dead_letter (run_id, step, item, slug, tenant, error, failed_at)
    select e.id, e.step, e.item, e.slug, e.tenant, e.error, at from ended e
  )
  select coalesce(array_agg(e.id), '{}') into failed from ended e;
  perform abort_tasks(failed, 'failed', at);
  perform settle_runs(failed, true, true, at);
  perform cancel_children(failed, 'its parent failed', at);
end $$;
comment on function millrace.bury_runs(uuid[], text[], int[], jsonb[], timestamptz) is 'Ends runs as failed and keeps each as one dead letter.';
