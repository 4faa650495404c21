-- How many who wait for each of these states there is room for beside those who were called before and that nobody has claimed yet: these take no slot, so
-- whoever calls without having given anything back would call for the same room once more, each time. Of a rule that has a thousand of them, none.
create or replace function millrace.room_to_call(state_ids bigint[], at timestamptz) returns int[]
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  going int[] := unpaused_handlers(served_handlers(at));
begin
  return array(
    with unclaimed as materialized (
      select r.rule_id, t.run_id, t.step_id, t.item_value
        from (select distinct s.rule_id from limit_state s join limit_rule k on k.id = s.rule_id where s.id = any (state_ids) and k.kind = 'concurrency') r
       cross join lateral (
         select c.* from (select distinct l.handler from limited_step l where l.rule_id = r.rule_id and l.handler = any (going)) h
          cross join lateral (
            select t.run_id, t.step_id, t.item_value from task t where t.handler = h.handler and t.worker_id is null and t.holds is not null limit 1000) c
          limit 1000) t
    ), called as materialized (
      select c.rule_id, limit_key(k.key_paths, k.input_path, u.input, c.item_value, u.tenant) as key, count(*)::int as count
        from unclaimed c join limit_rule k on k.id = c.rule_id join limited_step l on l.step_id = c.step_id and l.rule_id = c.rule_id
        join run u on u.id = any (array[c.run_id])
       group by 1, 2
    )
    select case when (select count(*) from unclaimed c where c.rule_id = s.rule_id) >= 1000 then 0
                else k.capacity - limit_used(s) - coalesce((select c.count from called c where c.rule_id = s.rule_id and c.key = s.key), 0) end
      from unnest(state_ids) with ordinality g(id, n) join limit_state s on s.id = any (array[g.id]) join limit_rule k on k.id = s.rule_id
     order by g.n);
end $$;
comment on function millrace.room_to_call(bigint[], timestamptz) is 'How many who wait for each of these limits there is room for beside those who were called before.';
