-- Refuses a version, or a rule, where the rules of its pipeline can't be enforced for it.
create or replace function millrace.check_start_rules(slug text, version int) returns void
language plpgsql stable
as $$
#variable_conflict use_column
declare
  fault record;
begin
  select k.name, start_rule_fault(k, check_start_rules.version) as words into fault from start_rule k
   where k.slug = check_start_rules.slug and start_rule_fault(k, check_start_rules.version) is not null order by k.name limit 1;
  if found then
    raise exception 'Rule ''%'' can''t be enforced for version % of pipeline ''%'': %.', fault.name, check_start_rules.version, check_start_rules.slug, fault.words
      using errcode = 'MR070', hint = 'Change the rule or remove it, or start another version.';
  end if;
end $$;
comment on function millrace.check_start_rules(text, int) is 'Refuses a version for which the rules of its pipeline can''t be enforced.';
