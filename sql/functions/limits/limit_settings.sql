-- The settings of a rule as define_limit takes them.
create or replace function millrace.limit_settings(rule millrace.limit_rule) returns jsonb
language sql immutable
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'kind', rule.kind, 'key', rule.key_paths,
    'capacity', rule.capacity, 'strategy', rule.strategy, 'fifo', rule.fifo, 'weights', rule.weights, 'default_weight', rule.default_weight,
    'units', case when rule.kind = 'rate' then s.units end, 'per_ms', rule.unit_ms * s.units, 'burst', rule.burst, 'units_path', rule.units_path,
    'failures', rule.failures, 'window_ms', rule.window_ms, 'cooldown_ms', rule.cooldown_ms))
    -- A rate is kept as the time of one unit: it is told as units in the shortest of the usual times in which they are whole.
    from (select coalesce((
            select round(per.ms / rule.unit_ms) from unnest(array[1000, 60000, 3600000, 86400000]::float8[]) per(ms)
             where per.ms / rule.unit_ms >= 0.999999 and abs(per.ms / rule.unit_ms - round(per.ms / rule.unit_ms)) < 0.000001 * round(per.ms / rule.unit_ms)
               and per.ms / rule.unit_ms <= 1000000
             order by per.ms limit 1), 1) as units) s
$$;
comment on function millrace.limit_settings(millrace.limit_rule) is 'The settings of a rule as define_limit takes them.';
