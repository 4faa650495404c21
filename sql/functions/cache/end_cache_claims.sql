-- Ends claims without a value, and tells who waits for it. Its caller holds the rows.
create or replace function millrace.end_cache_claims(claim_ids bigint[]) returns void
language plpgsql
as $$
declare
  awaited_id bigint;
begin
  for awaited_id in
    with ended as (
      delete from millrace.cache_claim c where c.id = any (claim_ids) returning c.id, c.awaited
    )
    select e.id from ended e where e.awaited
  loop
    perform pg_notify('millrace_data', 'cache ' || awaited_id);
  end loop;
end $$;
comment on function millrace.end_cache_claims(bigint[]) is 'Ends claims on keys of the cache without a value.';
