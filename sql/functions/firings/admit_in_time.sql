-- Starts what may begin of a schedule that somebody steers, and has locked for it. Where a start waits for what an open transaction holds, it stays queued,
-- and is tried again each second: with it would wait who steers the schedule, and all of its slots. False where the schedule is not evaluated, so that
-- nobody would try again.
create or replace function millrace.admit_in_time(schedule_id bigint, at timestamptz) returns boolean
language plpgsql
set lock_timeout = '500ms'
as $$
begin
  perform millrace.admit_firings(array[schedule_id], at);
  return true;
exception when lock_not_available then
  return millrace.evaluate_soon(array[schedule_id], at) > 0;
end $$;
comment on function millrace.admit_in_time(bigint, timestamptz) is 'Starts what may begin of a schedule that is locked, or has that tried again each second; false where nobody would.';
