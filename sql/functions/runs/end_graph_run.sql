-- Ends a run whose last steps are all final; where a step follows that (onSuccess), the run stays live until that has ended.
create or replace function millrace.end_graph_run(ended_run uuid, end_step int, at timestamptz)
returns table (kind text, run_id uuid, output jsonb)
language plpgsql
as $$
#variable_conflict use_column
declare
  ended step_definition;
  found_output jsonb;
begin
  select d.* into ended from step_definition d where d.id = end_step;
  if ended.dependents <> '{}' then
    update run r set outcome = 'completed' where r.id = ended_run and r.finished_at is null and r.outcome is null;
    perform advance_outcomes(array[ended_run], at);
    return;
  end if;
  found_output := run_output(ended_run, ended.slug, ended.version);
  perform complete_runs(array[ended_run], array[found_output], at);
  return query select 'ended', ended_run, found_output;
end $$;
comment on function millrace.end_graph_run(uuid, int, timestamptz) is 'Ends a run whose last steps are all final.';
