-- Forgets what a rule on starts knows of its keys. Runs that wait go on waiting for their time.
create or replace function millrace.forget_start_states(rule_id int) returns void
language plpgsql
as $$
begin
  delete from millrace.start_ticket t using millrace.start_state s where s.rule_id = forget_start_states.rule_id and t.state_id = s.id;
  delete from millrace.start_state s where s.rule_id = forget_start_states.rule_id;
end $$;
comment on function millrace.forget_start_states(int) is 'Forgets what a rule on starts knows of its keys.';
