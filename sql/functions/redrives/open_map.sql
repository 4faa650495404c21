-- Takes up a map of which some items have ended: the others get a task, with as many at once as its concurrency allows. Attempts are numbered
-- on from those that there are, and of what had failed the last one says that it was tried again after all: only one is an item's last.
-- Items and attempts are put together in one pass, without a join: of ten thousand items each would be held against each.
create or replace function millrace.open_map(map_run millrace.run, map millrace.step_definition, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  rest int[];
  rest_values jsonb[];
  rest_attempts int[];
  item_count int;
  most int;
begin
  -- Those that were tried before come first, since what is held back begins with a first attempt.
  select array_agg(i.item order by i.attempt is null, i.item) filter (where not i.ended),
         array_agg(i.item_value order by i.attempt is null, i.item) filter (where not i.ended),
         array_agg(coalesce(i.attempt, 0) order by i.attempt is null, i.item) filter (where not i.ended), count(*)
    into rest, rest_values, rest_attempts, item_count
    from (select g.item, (array_agg(g.item_value) filter (where g.is_listed))[1] as item_value, max(g.attempt) as attempt, bool_or(g.ended) as ended
            from (select e.n::int - 1 as item, e.item_value, true as is_listed, null::int as attempt, false as ended
                    from read_outputs(array[(map_run).id], array[(map).over]) o
                   cross join lateral jsonb_array_elements(o.output) with ordinality e(item_value, n)
                   union all
                  select a.item, null, false, a.attempt, a.outcome in ('completed', 'skipped')
                    from attempt a where a.run_id = (map_run).id and a.step = (map).step and a.item >= 0) g
           group by g.item having bool_or(g.is_listed)) i;
  most := least(cardinality(rest), (map).concurrency);
  update attempt a set retry_at = at
   where a.run_id = (map_run).id and a.step = (map).step and a.item >= 0 and a.outcome in ('failed', 'reclaimed') and a.retry_at is null
     and not (select coalesce(bool_or(b.outcome in ('completed', 'skipped')), false) from attempt b
               where b.run_id = (map_run).id and b.step = (map).step and b.item = a.item);
  insert into join_state (run_id, step_id, needs_left, failures_left)
  values ((map_run).id, (map).id, cardinality(rest), coalesce((map).fail_after_items, floor((map).fail_after_percent / 100 * item_count)::int));
  insert into map_item (run_id, step_id, item, item_value)
  select (map_run).id, (map).id, r.item, r.item_value from unnest(rest, rest_values) with ordinality r(item, item_value, n) where r.n > most;
  insert into task (handler, priority, run_id, step_id, item, item_value, attempt, ready_at)
  select (map).handler, (map_run).priority, (map_run).id, (map).id, r.item, r.item_value, r.attempt, at
    from unnest(rest, rest_values, rest_attempts) with ordinality r(item, item_value, attempt, n) where r.n <= most order by r.n;
end $$;
comment on function millrace.open_map(millrace.run, millrace.step_definition, timestamptz) is 'Takes up a map of which some items have ended.';
