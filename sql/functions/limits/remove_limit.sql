-- Removes a rule: what waited for it goes on. True where there was one. Whoever says which revision they saw removes no other one.
create or replace function millrace.remove_limit(name text, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_rule limit_rule;
begin
  lock table limit_rule in share row exclusive mode;
  select k.* into found_rule from limit_rule k where k.name = remove_limit.name;
  perform refuse_limit_revision(remove_limit.name, found_rule, remove_limit.expected_revision);
  if found_rule.id is null then
    return false;
  end if;
  perform lock_reach();
  perform lock_limit_ends(found_rule.id);
  perform free_waiters(found_rule.id, millrace.now());
  -- Ids of its states that held tasks still name are given back to nobody.
  delete from limit_state s where s.rule_id = found_rule.id;
  delete from limit_rule k where k.id = found_rule.id;
  if found_rule.kind = 'fairness' or found_rule.fifo is not null then
    perform renew_turn_handlers();
  end if;
  perform wake_workers(false);
  return true;
end $$;
comment on function millrace.remove_limit(text, int) is 'Removes a rule; false where there was none.';
