-- Refuses what a step says of its end and can't mean: an onError, ifSkipped, concurrency or failAfter that is none, or stands where it has
-- no effect; and a fallback that a map goes over and that is no list.
create or replace function millrace.check_outcomes(slug text, steps jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
begin
  select format('Step ''%s'' of pipeline ''%s'' has %s.', s ->> 'name', slug, o.fault) into bad
    from jsonb_array_elements(steps) s
   cross join lateral (values
     (s ? 'on_error' and s -> 'on_error' not in ('"fail"', '"skip"') and not (jsonb_typeof(s -> 'on_error') = 'object' and s -> 'on_error' ? 'fallback'),
      'an on_error that is neither "fail", "skip" nor {"fallback": …}'),
     (s ? 'if_skipped' and s -> 'if_skipped' not in ('"run"', '"skip"'), 'an if_skipped that is neither "run" nor "skip"'),
     (s -> 'if_skipped' = '"skip"' and jsonb_array_length(coalesce(s -> 'after', '[]')) = 0, 'an if_skipped, and needs no step'),
     (num_nonnulls(s -> 'concurrency', s -> 'fail_after') > 0 and s ->> 'kind' is distinct from 'map', 'a concurrency or a fail_after, and is no map'),
     (s ? 'concurrency' and not (case jsonb_typeof(s -> 'concurrency') when 'number'
        then (s ->> 'concurrency')::numeric between 1 and 100000 and (s ->> 'concurrency')::numeric = trunc((s ->> 'concurrency')::numeric) else false end),
      'a concurrency that is no whole number from 1 to 100,000'),
     (s ? 'fail_after' and not (case jsonb_typeof(s -> 'fail_after')
        when 'number' then (s ->> 'fail_after')::numeric between 0 and 100000 and (s ->> 'fail_after')::numeric = trunc((s ->> 'fail_after')::numeric)
        when 'string' then s ->> 'fail_after' ~ '^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$' else false end),
      'a fail_after that is neither a whole number from 0 to 100,000 nor a share such as "5%"')) o(is_wrong, fault)
   where o.is_wrong limit 1;
  if found then
    raise exception '%', bad using errcode = 'MR001', hint = 'What each of them means stands in docs/graph.md.';
  end if;
  select format('Step ''%s'' of pipeline ''%s'' has a fallback that is no list of at most 100,000 items, and the map ''%s'' goes over it.',
                s ->> 'name', slug, map ->> 'name') into bad
    from jsonb_array_elements(steps) s join jsonb_array_elements(steps) map on map ->> 'over' = s ->> 'name'
   where s #> '{on_error,fallback}' is not null and millrace.map_error('', '', s #> '{on_error,fallback}') is not null
   limit 1;
  if found then
    raise exception '%', bad using errcode = 'MR001', hint = 'Give a list as the fallback, or skip the step instead.';
  end if;
end $$;
comment on function millrace.check_outcomes(text, jsonb) is 'Refuses what a step says of its end and can''t mean.';
