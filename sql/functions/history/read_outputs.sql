-- The outputs of steps of runs, pair by pair. A map's output is the list of its items' outputs, in their order.
create or replace function millrace.read_outputs(run_ids uuid[], steps text[])
returns table (run_id uuid, step text, outcome text, output jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select g.run_id, g.step,
           coalesce(max(a.outcome) filter (where a.item = -1), case when count(a.item) > 0 then 'completed' end),
           case when bool_and(a.item = -1) then (array_agg(a.output) filter (where a.item = -1))[1]
                else jsonb_agg(a.output order by a.item) filter (where a.item >= 0) end
      from unnest(run_ids, steps) g(run_id, step)
      join attempt a on a.run_id = g.run_id and a.step = g.step and a.outcome in ('completed', 'skipped')
     group by g.run_id, g.step;
end $$;
comment on function millrace.read_outputs(uuid[], text[]) is 'The outputs of steps of runs; only final steps are answered.';
