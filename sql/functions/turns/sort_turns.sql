-- Gives tasks of handlers whose tasks take turns their key, where they have none: those that lay there already when the rule came, and those that come
-- back from a wait. So many a priority in one call; starts and steps that become ready bring theirs along.
create or replace function millrace.sort_turns(handlers int[], most int) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  with unsorted as (
    select o.id, o.run_id, o.step_id, o.item_value
      from unnest(handlers) h(id) cross join generate_series(1, 9) p(priority)
     cross join lateral (
       select t.id, t.run_id, t.step_id, t.item_value from task t
        where t.handler = h.id and (t.priority, t.id) > (p.priority::smallint, 0::bigint) and t.priority <= p.priority::smallint
          and t.worker_id is null and t.turn_key is null
        order by t.priority, t.id limit most for no key update skip locked) o
  )
  update task t set turn_key = k.key
    from unsorted o
   cross join lateral (
     select coalesce((select limit_key(k.key_paths, k.input_path, u.input, o.item_value, u.tenant)
                        from limited_step l join limit_rule k on k.id = l.rule_id and k.kind = 'fairness' join run u on u.id = o.run_id
                       where l.step_id = o.step_id order by k.id limit 1), '') as key) k
   where t.id = any (array[o.id]);
end $$;
comment on function millrace.sort_turns(int[], int) is 'Gives tasks of handlers whose tasks take turns their key, where they have none.';
