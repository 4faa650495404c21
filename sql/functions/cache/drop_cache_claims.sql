-- Gives up claims on keys whose values could not be computed: errors are not cached, and the next one that waits takes over.
create or replace function millrace.drop_cache_claims(worker_id uuid, claim_ids bigint[]) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  perform end_cache_claims(array(
    select c.id from cache_claim c where c.id = any (claim_ids) and c.worker_id = drop_cache_claims.worker_id order by c.scope, c.key, c.tenant for update));
end $$;
comment on function millrace.drop_cache_claims(uuid, bigint[]) is 'Gives up claims on keys whose values could not be computed.';
