-- Defines a rule, or changes it while runs are under way; answers its revision, which stays the same where nothing changes. Whoever says
-- which revision they saw changes no other one. What handlers hold by backing off is lifted where an operator says the rule anew, in other words or in the same.
create or replace function millrace.define_limit(
  name text, settings jsonb, targets jsonb, source text default 'operator', expected_revision int default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  wanted limit_rule := read_limit(define_limit.name, define_limit.settings, define_limit.source);
  found_rule limit_rule;
  same_reach boolean;
begin
  perform check_targets(define_limit.name, define_limit.targets);
  if wanted.kind = 'fairness' and define_limit.targets @? '$[*].step' then
    raise exception 'Limit ''%'' of kind fairness can''t hold for single steps: all that a worker claims of a pipeline takes the same turns.', define_limit.name
      using errcode = 'MR060', hint = 'Let it hold for the pipeline, or for a queue.';
  end if;
  perform check_limit_clear(wanted, define_limit.targets);
  -- Rules change one after the other; claims read them meanwhile.
  lock table limit_rule in share row exclusive mode;
  select k.* into found_rule from limit_rule k where k.name = define_limit.name;
  perform refuse_limit_revision(define_limit.name, found_rule, define_limit.expected_revision);
  if found_rule.kind <> wanted.kind then
    raise exception 'Limit ''%'' is of kind %, and stays so.', define_limit.name, found_rule.kind
      using errcode = 'MR060', hint = 'Remove it first, or give the other one a name of its own.';
  end if;
  same_reach := limit_reaches(found_rule, wanted, define_limit.targets);
  if same_reach and limit_equals(found_rule, wanted)
     and (wanted.source = 'code' or not exists (select from limit_state s where s.rule_id = found_rule.id and s.held_until > millrace.now())) then
    return found_rule.revision;
  end if;

  found_rule := change_limit(found_rule, wanted, define_limit.targets, same_reach);
  return found_rule.revision;
end $$;
comment on function millrace.define_limit(text, jsonb, jsonb, text, int) is 'Defines a rule on how many tasks may run or begin, or changes it; answers its revision.';
