-- Counts down joins (or the items of maps), once for each pair given; answers with those that reached zero, whose rows are gone. Of a
-- tolerant map what failed for good is counted as well, in the same update.
-- The rows are locked by the caller, in order.
create or replace function millrace.count_down_joins(run_ids uuid[], step_ids int[], gave_up boolean[] default null)
returns table (run_id uuid, step_id int)
language plpgsql
as $$
#variable_conflict use_column
begin
  if run_ids is null then
    return;
  end if;
  return query
    with counted as (
      select g.run_id, g.step_id, count(*)::int as n, (count(*) filter (where g.failed))::int as failed
        from unnest(run_ids, step_ids, gave_up) g(run_id, step_id, failed) group by 1, 2
    ), lowered as (
      update join_state j set needs_left = j.needs_left - c.n, failures_left = j.failures_left - c.failed
        from counted c where j.run_id = any (array[c.run_id]) and j.step_id = c.step_id and j.needs_left > c.n
    )
    delete from join_state j using counted c
     where j.run_id = any (array[c.run_id]) and j.step_id = c.step_id and j.needs_left <= c.n
    returning j.run_id, j.step_id;
end $$;
comment on function millrace.count_down_joins(uuid[], int[], boolean[]) is 'Counts down joins; answers with those that reached zero.';
