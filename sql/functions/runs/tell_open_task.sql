-- The sentence on one open task: what it waits for, until when, and who could help.
create or replace function millrace.tell_open_task(
  told_run uuid, reason text, step text, item int, task_id bigint, handler int, priority smallint, attempt int, failures int, max_attempts int,
  since timestamptz, due_at timestamptz, worker_id uuid, at timestamptz)
returns text
language plpgsql stable
as $$
#variable_conflict use_variable
declare
  subject text := case when item is null then format('''%s''', step) else format('Item %s of ''%s''', item, step) end;
  place text;
  ahead int;
  failed record;
begin
  case reason
  when 'needs_version' then
    return (
      select format('%s needs version %s of ''%s'' (queue %s): %s.', subject, h.version, h.slug, h.queue,
               case when exists (select from millrace.worker w
                                  where w.kind = 'worker' and w.state <> 'gone' and w.lease_expires_at > at and h.id = any (w.handlers))
                    then 'the workers that serve it are paused or draining' else 'no live worker serves it' end)
        from millrace.handler h where h.id = handler);
  when 'running', 'aborting' then
    select case w.kind when 'outside' then format('held by the executor outside, ''%s''', w.name)
                       else format('on worker ''%s'' of host ''%s''', w.name, w.host) end into place
      from millrace.worker w where w.id = worker_id;
    return case reason when 'running' then format('%s runs since %s, attempt %s, %s.', subject, millrace.tell_time(since), attempt, place)
                       else format('%s was told to stop, and runs since %s, %s.', subject, millrace.tell_time(since), place) end;
  when 'queued' then
    place := millrace.tell_turn(task_id, subject);
    if place is not null then
      return place;
    end if;
    ahead := millrace.count_ahead(task_id, handler, priority, at);
    return format('%s is ready since %s, %s.', subject, millrace.tell_time(since),
             case when ahead = 0 then 'and is the next that a worker with a free slot takes'
                  else format('behind %s%s', case when ahead = 10000 then 'at least ' else '' end,
                              case ahead when 1 then 'one other' else ahead || ' others' end) end);
  when 'retry' then
    select a.error, a.reason, (millrace.retry_policy(d, a.error)).max_attempts as bound into failed
      from millrace.attempt a
      join millrace.step_definition d on d.step = a.step and d.slug = (select h.slug from millrace.handler h where h.id = tell_open_task.handler)
       and d.version = (select h.version from millrace.handler h where h.id = tell_open_task.handler)
     where a.run_id = told_run and a.step = tell_open_task.step and a.item = coalesce(tell_open_task.item, -1) and a.attempt = tell_open_task.attempt;
    return format('%s is tried again on %s%s, after failure %s of at most %s%s.', subject, millrace.tell_time(due_at),
             ', when it has its share: ' || failed.reason, failures, coalesce(failed.bound, max_attempts),
             ': ' || left(rtrim(regexp_replace(failed.error ->> 'message', '\s+', ' ', 'g'), '. '), 200));
  when 'delayed', 'behind' then
    return coalesce(millrace.tell_start_rule(told_run, subject, due_at), format('%s begins on %s, as its start asked.', subject, millrace.tell_time(due_at)));
  else
    return format('%s is held back until the run is resumed.', subject);
  end case;
end $$;
comment on function millrace.tell_open_task(uuid, text, text, int, bigint, int, smallint, int, int, int, timestamptz, timestamptz, uuid, timestamptz)
  is 'The sentence on one open task.';
