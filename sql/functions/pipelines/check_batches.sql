-- Refuses a batch that could not be kept: one without its bounds, on a kind of step that has none, in a transaction, with a key that SQL
-- can't read, or larger than what a map lets run at a time. As src/core/graph-batches.ts does.
create or replace function millrace.check_batches(slug text, graph jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
begin
  select format('Step ''%s'' of pipeline ''%s'' has a batch %s.', s ->> 'name', slug, o.fault) into bad
    from jsonb_array_elements(graph -> 'steps') s
   cross join lateral (values
     (jsonb_typeof(s -> 'batch') <> 'object', 'that is no object'),
     (millrace.is_within(s #> '{batch,size}', 1, 1000, true) is not true, 'whose size is no whole number from 1 to 1,000'),
     (millrace.is_within(s #> '{batch,within_ms}', 1, 86400000, true) is not true, 'whose within_ms is no whole number from 1 to 86,400,000'),
     (coalesce(s ->> 'kind', 'step') not in ('step', 'map'), 'and is neither a step nor a map'),
     (s -> 'tx' = 'true', 'and is one transaction'),
     (case when millrace.is_within(s #> '{batch,size}', 1, 1000, true) and jsonb_typeof(s -> 'concurrency') = 'number'
           then (s ->> 'concurrency')::numeric < (s #>> '{batch,size}')::numeric end, 'larger than its concurrency')) o(is_wrong, fault)
   where s ? 'batch' and o.is_wrong limit 1;
  if found then
    raise exception '%', bad
      using errcode = 'MR001', hint = 'Write {"batch": {"size": 100, "within_ms": 5000}}, with a key as a list of paths where batches are not to mix its values.';
  end if;
  perform millrace.check_batch_key(slug, graph, s) from jsonb_array_elements(graph -> 'steps') s where s #> '{batch,key}' is not null;
end $$;
comment on function millrace.check_batches(text, jsonb) is 'Refuses a batch that could not be kept.';
