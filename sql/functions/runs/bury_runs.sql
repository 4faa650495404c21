-- Ends runs as failed, and keeps each as one dead letter: the only place where a run becomes failed. Nothing of them is under way any more
-- but what is aborted here.
create or replace function millrace.bury_runs(run_ids uuid[], steps text[], items int[], errors jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  failed uuid[];
  counted uuid[];
begin
  with ended as (
    update run r set state = 'failed', finished_at = greatest(bury_runs.at, r.started_at), paused_at = null, error = f.error
      from unnest(run_ids, steps, items, errors) f(run_id, step, item, error)
     where r.id = f.run_id and r.finished_at is null
    returning r.id, r.slug, r.version, r.tenant, r.error, f.step, f.item
  ), kept as (
    insert into dead_letter (run_id, step, item, slug, tenant, error, failed_at, fingerprint)
    select e.id, e.step, e.item, e.slug, e.tenant, e.error, at, error_fingerprint(e.slug, e.step, e.error) from ended e
  )
  select coalesce(array_agg(e.id), '{}'), array_agg(e.id) filter (where exists (
           select from pipeline_version v where v.slug = e.slug and v.version = e.version and v.pause_after is not null))
    into failed, counted from ended e;
  perform abort_tasks(failed, 'failed', at);
  perform settle_runs(failed, true, true, at);
  perform cancel_children(failed, 'its parent failed', at);
  if counted is not null then
    perform count_failed_runs(counted, at);
  end if;
end $$;
comment on function millrace.bury_runs(uuid[], text[], int[], jsonb[], timestamptz) is 'Ends runs as failed and keeps each as one dead letter.';
