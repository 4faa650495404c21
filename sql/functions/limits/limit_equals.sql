-- Whether a rule says what is wanted, but for what it holds for.
create or replace function millrace.limit_equals(rule millrace.limit_rule, wanted millrace.limit_rule) returns boolean
language sql immutable
as $$
  select (rule.kind, rule.capacity, rule.strategy, rule.unit_ms, rule.burst, rule.units_path, rule.failures, rule.window_ms, rule.cooldown_ms, rule.fifo, rule.weights, rule.default_weight, rule.source)
         is not distinct from
         (wanted.kind, wanted.capacity, wanted.strategy, wanted.unit_ms, wanted.burst, wanted.units_path, wanted.failures, wanted.window_ms, wanted.cooldown_ms, wanted.fifo, wanted.weights, wanted.default_weight, wanted.source)
$$;
comment on function millrace.limit_equals(millrace.limit_rule, millrace.limit_rule) is 'Whether a rule says what is wanted, but for what it holds for.';
