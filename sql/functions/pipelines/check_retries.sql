-- Refuses retry rules that name no error or have a number out of its bounds, an allowance of retries that is none, a number of failures to
-- pause after that is none, and a time after which to age that is none.
create or replace function millrace.check_retries(slug text, graph jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
  allowance jsonb := graph -> 'retry_allowance';
begin
  select format('Step ''%s'' of pipeline ''%s'' has %s.', s ->> 'name', slug, o.fault) into bad
    from jsonb_array_elements(graph -> 'steps') s
   cross join lateral jsonb_array_elements(case jsonb_typeof(s -> 'retry_rules') when 'array' then s -> 'retry_rules' else jsonb_build_array(s -> 'retry_rules') end) rule
   cross join lateral (values
     (jsonb_typeof(s -> 'retry_rules') <> 'array' or jsonb_array_length(s -> 'retry_rules') > 50, 'retry_rules that are no list of at most 50'),
     (coalesce(jsonb_typeof(rule -> 'error'), '') <> 'string' or length(rule ->> 'error') not between 1 and 200, 'a retry rule without an error of 1 to 200 characters'),
     (rule ? 'max_attempts' and not coalesce(millrace.is_within(rule -> 'max_attempts', 1, 1000, true), false), 'a retry rule with max_attempts that are no whole number from 1 to 1,000'),
     (rule ? 'backoff' and not coalesce(
        millrace.is_within(coalesce(rule #> '{backoff,initial_ms}', '0'), 0, 2073600000, true) and millrace.is_within(coalesce(rule #> '{backoff,max_ms}', '0'), 0, 2073600000, true)
        and millrace.is_within(coalesce(rule #> '{backoff,factor}', '1'), 1, 100, false) and coalesce(rule #> '{backoff,jitter}', '"none"') in ('"none"', '"full"'), false),
      'a retry rule with a backoff out of its bounds')) o(is_wrong, fault)
   where s ? 'retry_rules' and o.is_wrong limit 1;
  if found then
    raise exception '%', bad using errcode = 'MR001', hint = 'Write [{"error": "rate_limited", "max_attempts": 5, "backoff": {"initial_ms": 1000}}].';
  end if;
  if allowance is not null and not coalesce(
       millrace.is_within(allowance -> 'share', 0, 100, false) and millrace.is_within(allowance -> 'least', 1, 1000000, true)
       and millrace.is_within(allowance -> 'per_ms', 1000, 86400000, true) and coalesce(allowance -> 'used_up', '"wait"') in ('"wait"', '"fail"'), false) then
    raise exception 'The retry_allowance of pipeline ''%'' is none.', slug
      using errcode = 'MR001', hint = 'Write {"share": 0.2, "least": 10, "per_ms": 60000, "used_up": "wait"}: per_ms is from 1,000 to 86,400,000.';
  end if;
  if graph ? 'pause_after' and not coalesce(millrace.is_within(graph -> 'pause_after', 1, 1000000, true), false) then
    raise exception 'The pause_after of pipeline ''%'' is no whole number from 1 to 1,000,000.', slug
      using errcode = 'MR001', hint = 'Say how many runs in a row may fail.';
  end if;
  if graph ? 'ageing_ms' and not coalesce(millrace.is_within(graph -> 'ageing_ms', 1000, 2592000000, true), false) then
    raise exception 'The ageing_ms of pipeline ''%'' is no whole number from 1,000 to 2,592,000,000.', slug
      using errcode = 'MR001', hint = 'Say after how many milliseconds a task that is ready counts as one level more urgent.';
  end if;
end $$;
comment on function millrace.check_retries(text, jsonb) is 'Refuses retry rules, allowances, numbers to pause after and times of ageing that are none.';
