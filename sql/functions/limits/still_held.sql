-- Of tasks that took a slot of a state, those that hold it still, in their order: they have it among their holds, so they are looked up by their ids. Those whom
-- the claim is just about to take hold it already.
create or replace function millrace.still_held(state_id bigint, task_ids bigint[], newly_held bigint[]) returns bigint[]
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return array(
    select h.id from unnest(task_ids) with ordinality h(id, n) join task t on t.id = any (array[h.id])
     where (t.worker_id is not null and still_held.state_id = any (t.holds)) or t.id = any (newly_held) order by h.n);
end $$;
comment on function millrace.still_held(bigint, bigint[], bigint[]) is 'Of tasks that took a slot of a limit, those that hold it still.';
