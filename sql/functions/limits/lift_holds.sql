-- Lets go of what handlers hold under a rule by backing off (see back_off); true where there was something. Who carried the time waits like the others from now on, or
-- for its breaker; the times of a rate are given anew by the caller.
create or replace function millrace.lift_holds(rule_id int, at timestamptz) returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  lifted_ids bigint[] := array(select s.id from limit_state s where s.rule_id = lift_holds.rule_id and s.held_until > at order by s.id for update);
begin
  update limit_state s set held_until = null where s.id = any (lifted_ids);
  update waiting_task w set available_at = case when s.open_until > at then s.open_until end
    from limit_state s where s.id = any (lifted_ids) and w.limit_state_id = s.id and w.available_at > at and w.holds = '{}';
  return lifted_ids <> '{}';
end $$;
comment on function millrace.lift_holds(int, timestamptz) is 'Lets go of what handlers hold under a rule by backing off.';
