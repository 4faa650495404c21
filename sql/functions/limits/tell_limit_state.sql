-- What a limit says to a task that waits for it: the rule and its key, who is in the way, how many come before it, and when it may begin where
-- that is known. At most three holders are named.
create or replace function millrace.tell_limit_state(state millrace.limit_state, ahead bigint, since timestamptz, available_at timestamptz, subject text, at timestamptz)
returns table (sentence text, due_at timestamptz)
language plpgsql stable
as $$
#variable_conflict use_variable
declare
  rule millrace.limit_rule;
  used int := millrace.limit_used(state);
  holders text;
  what text;
begin
  select k.* into rule from millrace.limit_rule k where k.id = state.rule_id;
  if rule.kind = 'concurrency' or state.probe_id is not null then
    select string_agg(h.told, ', ' order by h.claimed_at, h.id) into holders
      from (select t.id, t.claimed_at, format('''%s''%s of run %s', d.step, case when t.item >= 0 then format(' item %s', t.item) else '' end, t.run_id) as told
              from millrace.limited_step l
              join millrace.step_definition d on d.id = l.step_id
              join millrace.task t on t.step_id = l.step_id and t.worker_id is not null and state.id = any (t.holds)
             where l.rule_id = rule.id
             order by t.claimed_at, t.id limit 3) h;
  end if;
  what := case
    when state.held_until > at then format('lets nothing begin until %s, as a handler asked', millrace.tell_time(state.held_until))
    when millrace.keeps_head(state, rule.fifo) and used = 0 then millrace.tell_head(state.head_run, state.head_step, state.head_item)
    when rule.kind = 'concurrency' then
      format('has %s of %s %s in use%s', used, rule.capacity, case rule.capacity when 1 then 'slot' else 'slots' end,
             coalesce(format(': by %s%s', holders, case when used > 3 then format(' and %s more', used - 3) else '' end), ''))
    when rule.kind = 'rate' then format('lets it begin on %s', millrace.tell_time(available_at))
    when state.probe_id is not null then format('is open, and tried by %s', coalesce(holders, 'one task'))
    when state.open_until > at then format('is open after failures: one task tries it on %s', millrace.tell_time(state.open_until))
    else 'lets it go on' end;
  sentence := format('%s waits since %s for limit ''%s''%s, which %s%s.', subject, millrace.tell_time(since), rule.name,
    case when state.key <> '' then format(' of ''%s''', left(state.key, 100)) else '' end, what,
    case when rule.kind = 'rate' then '' when ahead = 0 then '; it is the next'
         when ahead = 1 then '; one other comes before it' else format('; %s others come before it', case when ahead = 10000 then 'at least ' else '' end || ahead) end);
  due_at := case when rule.kind = 'rate' then available_at
                 when state.held_until > at then state.held_until
                 when state.open_until > at and ahead = 0 then state.open_until end;
  return next;
end $$;
comment on function millrace.tell_limit_state(millrace.limit_state, bigint, timestamptz, timestamptz, text, timestamptz) is 'What a limit says to a task that waits for it.';
