-- Counts down joins (or the items of maps), once for each pair given; answers with those that reached zero, whose rows are gone.
-- The rows are locked by the caller, in order.
create or replace function millrace.count_down_joins(run_ids uuid[], step_ids int[])
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
      select g.run_id, g.step_id, count(*)::int as n from unnest(run_ids, step_ids) g(run_id, step_id) group by 1, 2
    ), lowered as (
      update join_state j set needs_left = j.needs_left - c.n
        from counted c where j.run_id = c.run_id and j.step_id = c.step_id and j.needs_left > c.n
    )
    delete from join_state j using counted c
     where j.run_id = c.run_id and j.step_id = c.step_id and j.needs_left <= c.n
    returning j.run_id, j.step_id;
end $$;
comment on function millrace.count_down_joins(uuid[], int[]) is 'Counts down joins; answers with those that reached zero.';
