-- A worker that has just come may serve a version that nobody served when there was room for its tasks, and a pipeline that was paused had none called: so who
-- comes or resumes calls who waits for the limits of these handlers. At most a thousand limits: the others, and those that somebody has locked, are left to the sweep.
create or replace function millrace.call_served_waiters(handlers int[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  state_ids bigint[];
begin
  state_ids := array(
    select s.id from limit_state s
     where s.waiting and s.rule_id in (select l.rule_id from limited_step l where l.handler = any (call_served_waiters.handlers))
     order by s.id limit 1000 for update skip locked);
  if state_ids <> '{}' then
    perform call_waiters(state_ids, at);
  end if;
end $$;
comment on function millrace.call_served_waiters(int[], timestamptz) is 'Calls who waits for the limits of handlers that are served, or go on, from now on.';
