-- The output of a run whose steps are all final: its one last step's, or an object of several by name.
create or replace function millrace.run_output(run_id uuid, slug text, version int) returns jsonb
language plpgsql stable
as $$
#variable_conflict use_column
declare
  last_steps text[];
  found_output jsonb;
begin
  select d.needs into last_steps from millrace.step_definition d
   where d.slug = run_output.slug and d.version = run_output.version and d.step = '$end';
  if cardinality(last_steps) = 1 then
    select o.output into found_output from millrace.read_outputs(array[run_output.run_id], last_steps) o;
  else
    select jsonb_object_agg(o.step, o.output) into found_output
      from millrace.read_outputs(array_fill(run_output.run_id, array[cardinality(last_steps)]), last_steps) o;
  end if;
  return coalesce(found_output, 'null');
end $$;
comment on function millrace.run_output(uuid, text, int) is 'The output of a run whose steps are all final.';
