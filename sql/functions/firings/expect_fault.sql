-- What is wrong with an expectation, as the end of a sentence; null where it can be verified. There are three: a query whose one row is to be true,
-- a query with so many rows at least, and a value at a path of the output.
create or replace function millrace.expect_fault(expect jsonb) returns text
language sql immutable
as $$
  select case
    when expect is null then null
    when jsonb_typeof(expect) <> 'object' then 'expect must be a JSON object'
    when (expect ? 'query') = (expect ? 'output') then 'expect takes either query or output'
    when expect ? 'query' and expect - array['query', 'rows'] <> '{}' then 'expect with a query takes rows besides, and nothing else'
    when expect ? 'query' and (jsonb_typeof(expect -> 'query') <> 'string' or length(expect ->> 'query') not between 1 and 20000)
      then 'the query of expect must be of 1 to 20,000 characters'
    when expect ? 'rows' and not coalesce(case when jsonb_typeof(expect -> 'rows') = 'number' then
           (expect ->> 'rows')::numeric between 1 and 1000000 and (expect ->> 'rows')::numeric % 1 = 0 end, false)
      then 'rows of expect must be a whole number from 1 to 1,000,000'
    when expect ? 'output' and (jsonb_typeof(expect -> 'output') <> 'array' or jsonb_array_length(expect -> 'output') > 20
                                or jsonb_path_exists(expect -> 'output', '$[*] ? (@.type() != "string")'))
      then 'the output of expect must be a path: a list of at most 20 texts'
    when expect ? 'output' and (select count(*) from jsonb_object_keys(expect - 'output') k) <> 1 then 'expect with an output takes one of equals, at_least and at_most'
    when expect ? 'output' and not expect ?| array['equals', 'at_least', 'at_most'] then 'expect with an output takes one of equals, at_least and at_most'
    when jsonb_typeof(coalesce(expect -> 'at_least', expect -> 'at_most')) <> 'number' then 'at_least and at_most of expect must be numbers'
    when length(expect::text) > 100000 then 'expect is longer than 100,000 characters'
  end
$$;
comment on function millrace.expect_fault(jsonb) is 'What is wrong with an expectation, as the end of a sentence; null where it can be verified.';
