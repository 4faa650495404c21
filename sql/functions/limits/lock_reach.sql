-- Keeps everybody from claiming and ending tasks while a rule changes. Who claims or ends takes this table's share lock before any task (see complete_tasks):
-- so they are all through once it is had. A transaction of somebody's own may keep it for long, and behind one who waits for it everybody else would
-- wait: so it is asked for a fifth of a second at a time, and in between all others go on.
create or replace function millrace.lock_reach(tries int default 50) returns void
language plpgsql
set lock_timeout = '200ms'
as $$
begin
  for asked in 1 .. tries loop
    begin
      lock table millrace.limited_step in access exclusive mode;
      return;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  raise exception 'A transaction that claims or ends tasks is open for so long that no limit can be changed.'
    using errcode = 'MR061', hint = 'Try again, or end the transaction: npx millrace doctor names old ones.';
end $$;
comment on function millrace.lock_reach(int) is 'Keeps everybody from claiming and ending tasks until the transaction ends.';
