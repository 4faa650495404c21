-- Removes a rule on the starts of a pipeline; false where there was none. Runs that wait go on waiting for their time.
create or replace function millrace.remove_start_rule(slug text, name text, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  known start_rule;
begin
  perform 1 from pipeline p where p.slug = remove_start_rule.slug for no key update;
  select k.* into known from start_rule k where k.slug = remove_start_rule.slug and k.name = remove_start_rule.name for update;
  perform refuse_start_rule_revision(remove_start_rule.slug, remove_start_rule.name, known, remove_start_rule.expected_revision);
  if known.id is null then
    return false;
  end if;
  delete from start_rule k where k.id = known.id;
  perform forget_start_states(known.id);
  update pipeline p set has_start_rules = exists (select from start_rule k where k.slug = p.slug) where p.slug = remove_start_rule.slug;
  return true;
end $$;
comment on function millrace.remove_start_rule(text, text, int) is 'Removes a rule on the starts of a pipeline; false where there was none.';
