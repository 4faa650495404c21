-- The reason and the sentence on a step, or an item of it, that has no open task: it is final, it never began, or it waits for other steps.
create or replace function millrace.tell_step(told_run millrace.run, definition millrace.step_definition, item int)
returns table (reason text, sentence text)
language plpgsql stable
as $$
declare
  subject text := case when tell_step.item is null then format('''%s''', (definition).step) else format('Item %s of ''%s''', tell_step.item, (definition).step) end;
  last_attempt record;
  open_needs text;
begin
  select a.outcome, a.finished_at, a.reason into last_attempt from millrace.attempt a
   where a.run_id = (told_run).id and a.step = (definition).step and (tell_step.item is null or a.item = tell_step.item)
   order by a.finished_at desc, a.attempt desc limit 1;
  if last_attempt.outcome is not null then
    return query select 'final', format('%s %s on %s%s.', subject,
      case last_attempt.outcome when 'skipped' then 'was skipped' when 'cancelled' then 'was cancelled' when 'released' then 'was given back'
                                when 'reclaimed' then 'was lost with its worker' else last_attempt.outcome end,
      millrace.tell_time(last_attempt.finished_at), ': ' || last_attempt.reason);
    return;
  end if;
  if exists (select from millrace.map_item m where m.run_id = (told_run).id and m.step_id = (definition).id and m.item = tell_step.item) then
    return query select 'needs_steps', format('%s waits for its turn: %s of its map are under way at once.', subject,
      case (definition).concurrency when 1 then 'one item' else (definition).concurrency || ' items' end);
    return;
  end if;
  if (told_run).finished_at is not null then
    return query select 'final', format('%s never began: the run %s on %s.', subject,
      case (told_run).state when 'cancelled' then 'was cancelled' else (told_run).state end, millrace.tell_time((told_run).finished_at));
    return;
  end if;
  select string_agg(format('''%s''', need.step), ', ' order by need.position) into open_needs
    from millrace.step_definition need
   where need.slug = (definition).slug and need.version = (definition).version and need.step = any ((definition).needs)
     and (not exists (select from millrace.attempt a
                       where a.run_id = (told_run).id and a.step = need.step and a.outcome in ('completed', 'skipped'))
       or exists (select from millrace.join_state j where j.run_id = (told_run).id and j.step_id = need.id)
       or exists (select from millrace.task t where t.run_id = (told_run).id and t.step_id = need.id)
       or exists (select from millrace.waiting_task w where w.run_id = (told_run).id and w.step_id = need.id));
  return query select 'needs_steps', case when open_needs is null then format('%s is not open in this run.', subject)
                                          else format('%s waits for %s.', subject, open_needs) end;
end $$;
comment on function millrace.tell_step(millrace.run, millrace.step_definition, int) is 'The reason and the sentence on a step that has no open task.';
