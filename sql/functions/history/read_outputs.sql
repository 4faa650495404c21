-- The outputs of steps of runs, each pair once however often it is asked for: two tasks of one run may read the same step. A map's output is the list of its items' outputs, each in its place; where an item failed, or
-- never came to its end because the run did, there is null, and gaps tells its place. A map that ended as a whole (over an empty list, or by
-- its onError) has one output.
create or replace function millrace.read_outputs(run_ids uuid[], steps text[])
returns table (run_id uuid, step text, outcome text, output jsonb, gaps int[])
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select g.run_id, g.step,
           coalesce(max(a.outcome) filter (where a.item = -1), case when bool_and(a.outcome = 'skipped') then 'skipped' else 'completed' end),
           case when bool_or(a.item = -1) then (array_agg(a.output) filter (where a.item = -1))[1]
                when bool_and(a.outcome = 'skipped') then null
                when count(*) = max(a.item) + 1 then jsonb_agg(a.output order by a.item)
                else place_items(array_agg(a.item), array_agg(a.output)) end,
           case when bool_or(a.item = -1) then null
                when count(*) = max(a.item) + 1 then array_agg(a.item) filter (where a.outcome not in ('completed', 'skipped'))
                else array(select n from generate_series(0, max(a.item)) n
                           except select unnest(array_agg(a.item) filter (where a.outcome in ('completed', 'skipped')))) end
      from (select distinct u.run_id, u.step from unnest(run_ids, steps) u(run_id, step)) g
      join attempt a on a.run_id = g.run_id and a.step = g.step and is_last_attempt(a.outcome, a.item, a.retry_at)
     group by g.run_id, g.step;
end $$;
comment on function millrace.read_outputs(uuid[], text[]) is 'The outputs of steps of runs; only final steps are answered.';
