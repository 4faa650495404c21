-- Changes a rule, or removes it where nothing is wanted; answers what it is then. A transaction of somebody's own may have locked for long what has to be locked
-- for it, and behind whoever waits for that everybody waits who claims or ends: so each try gives way after a fifth of a second, lets go of everything, and
-- all others go on before the next one.
create or replace function millrace.change_limit(found_rule millrace.limit_rule, wanted millrace.limit_rule, targets jsonb, same_reach boolean, tries int default 30)
returns millrace.limit_rule
language plpgsql
as $$
begin
  for tried in 1 .. tries loop
    begin
      return millrace.rewrite_limit(found_rule, wanted, targets, same_reach);
    exception when lock_not_available or deadlock_detected then
      -- Another rule was changed in this transaction: until that ends, nobody can go on.
      exit when exists (select from pg_locks l where l.pid = pg_backend_pid() and l.relation = 'millrace.limited_step'::regclass and l.mode = 'AccessExclusiveLock');
      perform pg_sleep(0.1);
    end;
  end loop;
  raise exception 'Limit ''%'' can''t be changed: a transaction that holds a task, a run or a state of it stays open.', coalesce(wanted.name, found_rule.name)
    using errcode = 'MR061', hint = 'Try again, or end the transaction: npx millrace doctor names old ones.';
end $$;
comment on function millrace.change_limit(millrace.limit_rule, millrace.limit_rule, jsonb, boolean, int) is 'Changes a rule, or removes it, as soon as nobody claims or ends.';
