-- Runs that were called have ended: each call counts down, and the last one wakes the step that waits for it, exactly once: the lock on the
-- wait puts those that end at once in a row. A call that is waited for no more (it timed out, its run ended) is not found. Answers with the
-- tasks that woke up, leased to the worker where it may have them all.
create or replace function millrace.settle_children(
  run_ids uuid[], at timestamptz, worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  calls bigint[];
  counts int[];
  ended_ids bigint[];
begin
  select array_agg(c.id), array_agg(c.n) into calls, counts
    from (select w.id, count(*)::int as n
            from run c
            join run p on p.id = c.parent_run_id and p.finished_at is null
            join step_definition d on d.slug = p.slug and d.version = p.version and d.step = c.parent_step
            join wait w on w.run_id = any (array[p.id]) and w.step_id = any (array[d.id]) and w.item = c.parent_item and w.name = c.parent_call and w.kind = 'call'
           where c.id = any (settle_children.run_ids) and not c.detached
           group by w.id) c;
  if calls is null then
    return array[]::bigint[];
  end if;
  perform lock_waits(calls);
  with counted as (
    update wait w set children_left = w.children_left - g.n from unnest(calls, counts) g(id, n) where w.id = any (array[g.id]) and w.children_left > g.n
    returning w.id
  )
  select array_agg(w.id order by w.id) into ended_ids
    from unnest(calls, counts) g(id, n) join wait w on w.id = any (array[g.id]) where w.children_left <= g.n;
  if ended_ids is null then
    return array[]::bigint[];
  end if;
  return resolve_waits(ended_ids, array(select tell_children(w.id) from unnest(ended_ids) w(id)), null, at,
                       settle_children.worker_id, settle_children.lock_key, settle_children.room);
end $$;
comment on function millrace.settle_children(uuid[], timestamptz, uuid, int, int) is 'Runs that were called have ended: the last one of a call wakes who waits for it.';
