-- Whether a rule holds for these targets, by this key, and in strict order or not.
create or replace function millrace.limit_reaches(rule millrace.limit_rule, wanted millrace.limit_rule, targets jsonb) returns boolean
language sql stable
as $$
  select rule.id is not null and rule.key_paths = wanted.key_paths
     and (rule.fifo is null) = (wanted.fifo is null)
     and not exists (select t.slug, t.step, t.queue from jsonb_to_recordset(targets) t(slug text, step text, queue text)
                     except select g.slug, g.step, g.queue from millrace.limit_target g where g.rule_id = rule.id)
     and not exists (select g.slug, g.step, g.queue from millrace.limit_target g where g.rule_id = rule.id
                     except select t.slug, t.step, t.queue from jsonb_to_recordset(targets) t(slug text, step text, queue text))
$$;
comment on function millrace.limit_reaches(millrace.limit_rule, millrace.limit_rule, jsonb) is 'Whether a rule holds for these targets, by this key, and in strict order or not.';
