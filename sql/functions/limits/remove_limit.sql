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
  perform change_limit(found_rule, null, null, false);
  return true;
end $$;
comment on function millrace.remove_limit(text, int) is 'Removes a rule; false where there was none.';
