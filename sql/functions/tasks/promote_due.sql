-- Moves these waiting tasks to where claims look, in the order of their times. Of parked ones, what was due ends with its result; the others of their
-- waits stay open. Answers how many they were. Who waited for a limit keeps the place in which it came, unless a rate gave it the time: that is good for a moment.
create or replace function millrace.promote_due(waiting_ids bigint[], at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  promoted int;
  woken_runs uuid[];
  woken_steps int[];
  woken_items int[];
begin
  with removed as (
    delete from waiting_task w using unnest(waiting_ids) due(id) where w.id = any (array[due.id]) returning w.*
  ), added as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at, holds)
    select handler, priority, run_id, step_id, item, item_value, attempt, failures,
           case when reason = 'limit' and coalesce(holds, '{}') = '{}' then queued_at else available_at end, case when reason = 'limit' then coalesce(holds, '{}') end
      from removed order by available_at, id
    returning 1
  )
  select (select count(*) from added), array_agg(r.run_id) filter (where r.reason in ('waiting', 'paused')),
         array_agg(r.step_id) filter (where r.reason in ('waiting', 'paused')), array_agg(r.item) filter (where r.reason in ('waiting', 'paused'))
    into promoted, woken_runs, woken_steps, woken_items
    from removed r;
  if woken_runs is not null then
    perform expire_waits(woken_runs, woken_steps, woken_items, at);
    perform wake_runs(woken_runs);
  end if;
  return promoted;
end $$;
comment on function millrace.promote_due(bigint[], timestamptz) is 'Moves waiting tasks to where claims look; answers how many.';
