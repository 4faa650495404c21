-- Ends runs well: the only place where a run becomes completed. A run that was failed or cancelled meanwhile stays so.
create or replace function millrace.complete_runs(run_ids uuid[], outputs jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  keyed boolean;
  called boolean;
  is_counted boolean;
begin
  with ended as (
    update run r set state = 'completed', output = e.output, finished_at = complete_runs.at, paused_at = null,
                     started_at = coalesce(r.started_at, complete_runs.at)
      from unnest(run_ids, outputs) e(id, output)
     where r.id = e.id and r.finished_at is null
    returning r.key, r.parent_run_id
  )
  select count(ended.key) > 0, count(ended.parent_run_id) > 0, exists (select from failure_streak) into keyed, called, is_counted from ended;
  perform settle_runs(run_ids, keyed, called, at);
  if is_counted then
    perform end_streaks(run_ids);
  end if;
end $$;
comment on function millrace.complete_runs(uuid[], jsonb[], timestamptz) is 'Ends runs well.';
