-- Defines the rules that the code of a worker declares for its pipelines, all at once: who starts calls it each time, so where nothing has
-- changed it locks nothing. What a rule holds for in pipelines of other code stays. A rule that this code does not declare any more holds
-- for none of its pipelines, and is removed once it holds for nothing. A rule that an operator defined or changed stays theirs.
create or replace function millrace.define_code_limits(limits jsonb, slugs text[])
returns table (name text, change text, revision int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  given record;
  found_rule limit_rule;
  wanted limit_rule;
  targets jsonb;
  locked boolean := false;
begin
  if jsonb_typeof(limits) is distinct from 'array' then
    perform refuse_argument('limits', 'a list of rules', limits::text);
  end if;
  if slugs is null or array_position(slugs, null) is not null then
    perform refuse_argument('slugs', 'a list of pipelines', slugs::text);
  end if;
  -- In one order, so that two who start at once don't wait for each other in a circle.
  for given in
    select l.name, l.settings, l.targets
      from jsonb_to_recordset(limits) l(name text, settings jsonb, targets jsonb)
    union all
    select k.name, limit_settings(k), '[]' from limit_rule k
     where k.source = 'code' and exists (select from limit_target g where g.rule_id = k.id and g.slug = any (slugs))
       and not exists (select from jsonb_to_recordset(limits) l(name text) where l.name = k.name)
     order by 1
  loop
    wanted := read_limit(given.name, given.settings, 'code');
    name := given.name;
    loop
      select k.* into found_rule from limit_rule k where k.name = given.name;
      targets := given.targets || coalesce((
        select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('slug', g.slug, 'step', g.step, 'queue', g.queue)))
          from limit_target g where g.rule_id = found_rule.id and g.slug <> all (slugs)), '[]');
      change := case when found_rule.source = 'operator' then 'operator'
                      when targets = '[]' and found_rule.id is null then 'gone'
                      when targets = '[]' then 'removed'
                      when limit_equals(found_rule, wanted) and limit_reaches(found_rule, wanted, targets) then 'same'
                      else 'defined' end;
      exit when locked or change not in ('removed', 'defined');
      lock table limit_rule in share row exclusive mode;
      locked := true;
    end loop;
    continue when change = 'gone';
    if change = 'removed' then
      perform remove_limit(given.name);
    elsif change = 'defined' and found_rule.kind <> wanted.kind then
      perform remove_limit(given.name);
    end if;
    revision := case when change = 'defined' then define_limit(given.name, given.settings, targets, 'code') else found_rule.revision end;
    return next;
  end loop;
end $$;
comment on function millrace.define_code_limits(jsonb, text[]) is 'Defines the rules that code declares for its pipelines; says of each whether it was defined, is the same, was removed, or is an operator''s.';
