-- Refuses steps with an option outside its bounds, as src/core/graph.ts does: the first one is named with its value.
create or replace function millrace.check_options(slug text, steps jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
begin
  select format('Step ''%s'' of pipeline ''%s'' has a %s of %s.', s ->> 'name', slug, o.option, o.value) into bad
    from jsonb_array_elements(steps) s
   cross join lateral (values
     ('max_attempts', s -> 'max_attempts', 1, 1000), ('timeout_ms', s -> 'timeout_ms', 1, 2073600000),
     ('backoff.initial_ms', s #> '{backoff,initial_ms}', 0, 2073600000), ('backoff.max_ms', s #> '{backoff,max_ms}', 0, 2073600000),
     ('backoff.factor', s #> '{backoff,factor}', 1, 100)) o(option, value, least, most)
   where case when o.value is null then false
              when jsonb_typeof(o.value) <> 'number' then true
              when o.value::numeric not between o.least and o.most then true
              else o.option <> 'backoff.factor' and o.value::numeric <> trunc(o.value::numeric) end
   limit 1;
  if found then
    raise exception '%', bad
      using errcode = 'MR001', hint = 'Numbers are within their bounds, and whole, but for the factor.';
  end if;
  select format('Step ''%s'' of pipeline ''%s'' has a %s of %s.', s ->> 'name', slug, o.option, o.value) into bad
    from jsonb_array_elements(steps) s
   cross join lateral (values
     ('queue', s -> 'queue', '^[a-z][a-z0-9-]{0,62}$'), ('backoff.jitter', s #> '{backoff,jitter}', '^(full|none)$')) o(option, value, form)
   where o.value is not null and (jsonb_typeof(o.value) <> 'string' or o.value #>> '{}' !~ o.form)
   limit 1;
  if found then
    raise exception '%', bad
      using errcode = 'MR001', hint = 'A queue is named as a step is; jitter is "full" or "none".';
  end if;
end $$;
comment on function millrace.check_options(text, jsonb) is 'Refuses steps with an option outside its bounds.';
