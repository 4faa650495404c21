-- The rules on starts that code brings, as a set: those that it names no more are removed. What an operator has changed stays the operator's.
create or replace function millrace.apply_start_rules(slug text, rules jsonb) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  brought text;
begin
  for brought in
    select k.name from start_rule k where k.slug = apply_start_rules.slug and k.source = 'code' and not rules ? k.name order by k.name
  loop
    perform remove_start_rule(apply_start_rules.slug, brought);
  end loop;
  for brought in select n from jsonb_object_keys(rules) n order by n loop
    if not exists (select from start_rule k where k.slug = apply_start_rules.slug and k.name = brought and k.source = 'operator') then
      perform define_start_rule(apply_start_rules.slug, brought, rules -> brought, 'code');
    end if;
  end loop;
end $$;
comment on function millrace.apply_start_rules(text, jsonb) is 'The rules on starts that code brings, as a set.';
