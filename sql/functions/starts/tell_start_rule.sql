-- Why a start waits, where a rule on starts made it wait; null where none did.
create or replace function millrace.tell_start_rule(told_run uuid, subject text, due_at timestamptz) returns text
language plpgsql stable
as $$
declare
  behind millrace.held_start;
  made millrace.coalesced_start;
begin
  select h.* into behind from millrace.held_start h where h.run_id = told_run limit 1;
  if found then
    return format('%s begins once run %s has ended, whose place its run took by rule ''%s'' on starts.', subject, behind.behind_run, behind.rule);
  end if;
  select c.* into made from millrace.coalesced_start c where c.run_id = told_run;
  if not found then
    return null;
  end if;
  return format('%s begins on %s, by %s ''%s'' on starts: %s, the last on %s.', subject, millrace.tell_time(due_at), made.kind, made.rule,
    case made.starts when 1 then 'it is of one start so far' else format('it is of %s starts so far', made.starts) end, millrace.tell_time(made.last_at));
end $$;
comment on function millrace.tell_start_rule(uuid, text, timestamptz) is 'Why a start waits, where a rule on starts made it wait.';
