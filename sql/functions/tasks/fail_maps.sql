-- Fails the runs in which a step completed with what a map can't go over: as soon as that is known, whatever else the map waits for.
-- The caller has locked all tasks of these runs: here it is too late, as join rows may be locked already.
create or replace function millrace.fail_maps(run_ids uuid[], source_ids int[], outputs jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  failed record;
begin
  select array_agg(f.run_id) as runs, array_agg(f.step) as steps, array_agg(f.error) as errors into failed
    from (select distinct on (g.run_id) g.run_id, map.step, map_error(map.step, map.over, coalesce(g.output, 'null')) as error
            from unnest(run_ids, source_ids, outputs) g(run_id, step_id, output)
            join step_definition source on source.id = g.step_id
            join step_definition map on map.id = any (source.dependents) and map.over = source.step and map.on_error = 'fail'
           order by g.run_id, map.position) f;
  perform record_outcome(f.run_id, f.step, 1, 'failed', null, f.error, null, at) from unnest(failed.runs, failed.steps, failed.errors) f(run_id, step, error);
  perform fail_runs(failed.runs, failed.steps, array_fill(-1, array[cardinality(failed.runs)]), failed.errors, at);
end $$;
comment on function millrace.fail_maps(uuid[], int[], jsonb[], timestamptz) is 'Fails the runs in which a map can''t go over what a step gave.';
