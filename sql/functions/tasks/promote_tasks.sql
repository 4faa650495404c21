-- Moves tasks whose time has come to where claims look, in the order of their times and at most so many a call. Of parked ones, what was due
-- ends with its result; the others of their waits stay open. Approvals that it is time to remind of are told in the history.
create or replace function millrace.promote_tasks(most int) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  promoted int;
  woken_runs uuid[];
  woken_steps int[];
  woken_items int[];
begin
  with due as (
    select w.id from waiting_task w where not w.paused and w.available_at <= at
     order by w.available_at, w.id limit most for update skip locked
  ), removed as (
    delete from waiting_task w using due where w.id = any (array[due.id]) returning w.*
  ), added as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at, holds)
    select handler, priority, run_id, step_id, item, item_value, attempt, failures, available_at, case when reason = 'limit' then coalesce(holds, '{}') end
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
  if promoted > 0 then
    perform wake_workers(false);
  end if;
  if exists (select from approval a where a.state = 'open' and a.reminded_at is null and a.remind_at <= at) then
    perform remind_approvals(at);
  end if;
  return promoted;
end $$;
comment on function millrace.promote_tasks(int) is 'Moves tasks whose time has come to where claims look; answers how many.';
