-- Brings the task of a step that an executor outside asks for back from where it waits for a limit, if nobody who could go on waits before it:
-- it is judged once more. Nobody calls it else, where no worker serves it.
create or replace function millrace.call_outside(run_id uuid, step_id int, item int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  with called as (
    delete from waiting_task w
     where w.run_id = call_outside.run_id and w.step_id = call_outside.step_id and w.item = call_outside.item and w.reason = 'limit' and not w.paused
       and (w.available_at <= at
            or (w.available_at is null and not exists (
                  select from waiting_task o
                   where o.limit_state_id = w.limit_state_id and not o.paused and o.handler = any (served_handlers(at))
                     and (o.priority, o.queued_at, o.id) < (w.priority, w.queued_at, w.id))))
    returning w.*
  )
  insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at, holds)
  select c.handler, c.priority, c.run_id, c.step_id, c.item, c.item_value, c.attempt, c.failures,
         case when coalesce(c.holds, '{}') = '{}' then c.queued_at else coalesce(c.available_at, c.queued_at) end, coalesce(c.holds, '{}')
    from called c;
end $$;
comment on function millrace.call_outside(uuid, int, int, timestamptz) is 'Brings the task that an executor outside asks for back from where it waits for a limit.';
