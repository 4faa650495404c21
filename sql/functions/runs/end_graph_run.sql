-- Ends a run whose last steps are all final: its output is the one last step's, or an object of several by name.
create or replace function millrace.end_graph_run(ended_run uuid, end_step int, at timestamptz)
returns table (kind text, run_id uuid, output jsonb)
language plpgsql
as $$
#variable_conflict use_column
declare
  last_steps text[];
  found_output jsonb;
begin
  select d.needs into last_steps from step_definition d where d.id = end_step;
  if cardinality(last_steps) = 1 then
    select o.output into found_output from read_outputs(array[ended_run], last_steps) o;
  else
    select jsonb_object_agg(o.step, o.output) into found_output
      from read_outputs(array_fill(ended_run, array[cardinality(last_steps)]), last_steps) o;
  end if;
  perform complete_runs(array[ended_run], array[coalesce(found_output, 'null')], at);
  return query select 'ended', ended_run, coalesce(found_output, 'null');
end $$;
comment on function millrace.end_graph_run(uuid, int, timestamptz) is 'Ends a run whose last steps are all final.';
