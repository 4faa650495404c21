-- Moves tasks whose time has come to where claims look, in the order of their times and at most so many a call.
create or replace function millrace.promote_tasks(most int) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  promoted int;
begin
  with due as (
    select w.id from waiting_task w where not w.paused and w.available_at <= at
     order by w.available_at, w.id limit most for update skip locked
  ), removed as (
    delete from waiting_task w using due where w.id = due.id returning w.*
  ), added as (
    insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
    select handler, priority, run_id, step_id, item, item_value, attempt, failures, available_at
      from removed order by available_at, id
    returning 1
  )
  select count(*) into promoted from added;
  if promoted > 0 then
    perform wake_workers(false);
  end if;
  return promoted;
end $$;
comment on function millrace.promote_tasks(int) is 'Moves tasks whose time has come to where claims look; answers how many.';
