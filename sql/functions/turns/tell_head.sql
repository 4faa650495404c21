-- What a task waits for in a strict order, while the one at the head of it is not running: who that is, and why it does not run.
create or replace function millrace.tell_head(head_run uuid, head_step int, head_item int) returns text
language plpgsql stable
as $$
#variable_conflict use_column
declare
  head record;
begin
  select w.reason, w.paused, w.available_at, d.step, r.paused_at into head
    from millrace.step_definition d
    join millrace.run r on r.id = tell_head.head_run
    left join millrace.waiting_task w on w.run_id = tell_head.head_run and w.step_id = tell_head.head_step and w.item = tell_head.head_item
   where d.id = tell_head.head_step;
  return format('holds it in strict order behind ''%s''%s of run %s, which %s', head.step,
    case when tell_head.head_item >= 0 then format(' item %s', tell_head.head_item) else '' end, tell_head.head_run,
    case when head.paused_at is not null then 'is paused'
         when head.reason = 'retry' then format('is tried again on %s', millrace.tell_time(head.available_at))
         when head.reason is null then 'is ready'
         when head.reason = 'limit' then 'waits for another limit'
         else 'waits' end);
end $$;
comment on function millrace.tell_head(uuid, int, int) is 'Who is at the head of a strict order, and why it does not run.';
