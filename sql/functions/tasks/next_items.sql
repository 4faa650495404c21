-- The items of maps with a concurrency whose turn has come: as many as have ended. What is given are the items that ended, pair by pair;
-- the join rows of their runs are locked by the caller, so that no item is taken twice.
create or replace function millrace.next_items(run_ids uuid[], step_ids int[])
returns table (run_id uuid, step_id int, item int, item_value jsonb)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
    with ended as (
      select g.run_id, g.step_id, count(*) as n from unnest(run_ids, step_ids) g(run_id, step_id)
        join step_definition d on d.id = g.step_id and d.concurrency is not null
       group by g.run_id, g.step_id
    )
    delete from map_item m
     where m.ctid = any (array(
       select first.ctid from ended e cross join lateral (
         select i.ctid from map_item i where i.run_id = e.run_id and i.step_id = e.step_id order by i.item limit e.n) first))
    returning m.run_id, m.step_id, m.item, m.item_value;
end $$;
comment on function millrace.next_items(uuid[], int[]) is 'The items of maps with a concurrency whose turn has come.';
