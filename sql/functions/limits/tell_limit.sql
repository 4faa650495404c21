-- The sentence on a task that waits for a limit.
create or replace function millrace.tell_limit(waiting_task_id bigint, subject text, at timestamptz)
returns table (sentence text, due_at timestamptz)
language sql stable
as $$
  select l.sentence, l.due_at
    from millrace.waiting_task w
    join millrace.limit_state s on s.id = w.limit_state_id
    join millrace.limit_rule k on k.id = s.rule_id
   cross join lateral (
     select count(*) as ahead
       from (select from millrace.waiting_task o
              where o.limit_state_id = s.id and not o.paused
                and (case when k.fifo is null then o.priority else w.priority end, o.queued_at, o.id) < (w.priority, w.queued_at, w.id) limit 10000) before) b
   cross join lateral millrace.tell_limit_state(s, b.ahead, w.queued_at, w.available_at, tell_limit.subject, tell_limit.at) l
   where w.id = tell_limit.waiting_task_id
$$;
comment on function millrace.tell_limit(bigint, text, timestamptz) is 'The sentence on a task that waits for a limit.';
