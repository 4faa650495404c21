-- Tasks that wait for a rule go back to where claims look, to be judged anew: the rule is gone, or holds for something else now.
create or replace function millrace.free_waiters(rule_id int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  -- In the order in which whoever ends, pauses or resumes a run locks them (see lock_run_tasks).
  perform from limit_state s join waiting_task w on w.limit_state_id = s.id where s.rule_id = free_waiters.rule_id order by w.id + 0 for update of w;
  with freed as (
    delete from waiting_task w using limit_state s
     where s.rule_id = free_waiters.rule_id and w.limit_state_id = s.id and not w.paused
    returning w.*
  )
  insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
  select f.handler, f.priority, f.run_id, f.step_id, f.item, f.item_value, f.attempt, f.failures, f.queued_at
    from freed f order by f.priority, f.queued_at, f.id;
  -- What is paused comes back when its run is resumed.
  update waiting_task w set reason = 'paused', available_at = at, limit_state_id = null, queued_at = null, holds = null
    from limit_state s where s.rule_id = free_waiters.rule_id and w.limit_state_id = s.id;
  update limit_state s set waiting = false where s.rule_id = free_waiters.rule_id and s.waiting;
end $$;
comment on function millrace.free_waiters(int, timestamptz) is 'Tasks that wait for a rule are judged anew.';
