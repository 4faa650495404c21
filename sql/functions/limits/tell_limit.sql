-- The sentence on a task that waits for a limit: the rule and its key, who is in the way, how many come before it, and when it may begin where
-- that is known. At most three holders are named.
create or replace function millrace.tell_limit(waiting_task_id bigint, subject text, at timestamptz)
returns table (sentence text, due_at timestamptz)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  waiting record;
  what text;
  holders text;
  ahead int;
begin
  select w.priority, w.queued_at, w.id, w.available_at, w.holds, s.id as state_id, s.used, s.open_until, s.probe_id, s.held_until, s.head_run, s.head_step, s.head_item, millrace.keeps_head(s, k.fifo) as is_headed, k.*,
         format('limit ''%s''%s', k.name, case when s.key <> '' then format(' of ''%s''', left(s.key, 100)) else '' end) as told
    into waiting
    from millrace.waiting_task w
    join millrace.limit_state s on s.id = w.limit_state_id join millrace.limit_rule k on k.id = s.rule_id
   where w.id = waiting_task_id;
  if not found then
    return;
  end if;
  select count(*) into ahead
    from (select from millrace.waiting_task o
           where o.limit_state_id = waiting.state_id and not o.paused
             and (case when waiting.fifo is null then o.priority else waiting.priority end, o.queued_at, o.id) < (waiting.priority, waiting.queued_at, waiting_task_id) limit 10000) before;
  if waiting.kind = 'concurrency' or waiting.probe_id is not null then
    select string_agg(h.told, ', ' order by h.claimed_at, h.id) into holders
      from (select t.id, t.claimed_at, format('''%s''%s of run %s', d.step, case when t.item >= 0 then format(' item %s', t.item) else '' end, t.run_id) as told
              from millrace.limited_step l
              join millrace.step_definition d on d.id = l.step_id
              join millrace.task t on t.step_id = l.step_id and t.worker_id is not null and waiting.state_id = any (t.holds)
             where l.rule_id = (select s.rule_id from millrace.limit_state s where s.id = waiting.state_id)
             order by t.claimed_at, t.id limit 3) h;
  end if;
  what := case
    when waiting.held_until > at then format('lets nothing begin until %s, as a handler asked', millrace.tell_time(waiting.held_until))
    when waiting.is_headed and waiting.used = 0 then millrace.tell_head(waiting.head_run, waiting.head_step, waiting.head_item)
    when waiting.kind = 'concurrency' then
      format('has %s of %s %s in use%s', waiting.used, waiting.capacity, case waiting.capacity when 1 then 'slot' else 'slots' end,
             coalesce(format(': by %s%s', holders, case when waiting.used > 3 then format(' and %s more', waiting.used - 3) else '' end), ''))
    when waiting.kind = 'rate' then format('lets it begin on %s', millrace.tell_time(waiting.available_at))
    when waiting.probe_id is not null then format('is open, and tried by %s', coalesce(holders, 'one task'))
    when waiting.open_until > at then format('is open after failures: one task tries it on %s', millrace.tell_time(waiting.open_until))
    else 'lets it go on' end;
  sentence := format('%s waits since %s for %s, which %s%s.', subject, millrace.tell_time(waiting.queued_at), waiting.told, what,
    case when waiting.kind = 'rate' then '' when ahead = 0 then '; it is the next'
         when ahead = 1 then '; one other comes before it' else format('; %s others come before it', case when ahead = 10000 then 'at least ' else '' end || ahead) end);
  due_at := case when waiting.kind = 'rate' then waiting.available_at
                 when waiting.held_until > at then waiting.held_until
                 when waiting.open_until > at and ahead = 0 then waiting.open_until end;
  return next;
end $$;
comment on function millrace.tell_limit(bigint, text, timestamptz) is 'The sentence on a task that waits for a limit.';
