-- Locks the seats of all states of a rule, in their order, before whatever it is that locks the states (see count_ends).
create or replace function millrace.lock_limit_ends(rule_id int) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  perform from limit_end e join limit_state s on s.id = e.state_id where s.rule_id = lock_limit_ends.rule_id order by e.state_id, e.seat for update of e;
end $$;
comment on function millrace.lock_limit_ends(int) is 'Locks the seats of all states of a rule.';
