-- The delay before a step's next try, in whole milliseconds: exponential, and capped before the arithmetic can overflow, as in
-- src/core/backoff.ts. With full jitter it is drawn evenly from nothing to twice the mean. `random` is an argument, from 0 to 1.
create or replace function millrace.retry_delay(definition millrace.step_definition, failures int, random float8) returns float8
language plpgsql immutable
as $$
declare
  doublings int := greatest(failures, 1) - 1;
  mean float8;
begin
  if definition.backoff_initial_ms <= 0 or definition.backoff_max_ms <= 0 then
    return 0;
  end if;
  -- Compared as logarithms, so that the power is never computed where it would overflow.
  if ln(definition.backoff_initial_ms) + doublings * ln(definition.backoff_factor) >= ln(definition.backoff_max_ms) then
    mean := definition.backoff_max_ms;
  else
    mean := least(floor(definition.backoff_initial_ms * power(definition.backoff_factor, doublings) + 0.5), definition.backoff_max_ms);
  end if;
  if definition.backoff_jitter = 'full' then
    return floor(least(1, greatest(0, coalesce(random, 0.5))) * 2 * mean);
  end if;
  return mean;
end $$;
comment on function millrace.retry_delay(millrace.step_definition, int, float8) is 'The delay in milliseconds before the next try.';
