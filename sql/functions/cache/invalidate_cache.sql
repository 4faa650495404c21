-- Removes values from the cache: those of a scope, of a key or of all keys that begin with a prefix, of a tenant; what is given must all fit. Claims
-- go first: what is being computed by then is not stored, whoever waits computes it anew, and what was just being stored is seen here.
create or replace function millrace.invalidate_cache(scope text default null, key text default null, prefix text default null, tenant text default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  removed int;
begin
  if num_nonnulls(invalidate_cache.scope, invalidate_cache.key, invalidate_cache.prefix, invalidate_cache.tenant) = 0 then
    perform refuse_argument('scope, key, prefix or tenant', 'given', null);
  end if;
  perform end_cache_claims(array(
    select c.id from cache_claim c
     where (invalidate_cache.scope is null or c.scope = invalidate_cache.scope) and (invalidate_cache.key is null or c.key = invalidate_cache.key)
       and (invalidate_cache.prefix is null or starts_with(c.key, invalidate_cache.prefix))
       and (invalidate_cache.tenant is null or c.tenant = invalidate_cache.tenant)
     order by c.scope, c.key, c.tenant for update));
  delete from cache_entry e
   where e.id in (
     select f.id from cache_entry f
      where (invalidate_cache.scope is null or f.scope = invalidate_cache.scope) and (invalidate_cache.key is null or f.key = invalidate_cache.key)
        and (invalidate_cache.prefix is null or starts_with(f.key, invalidate_cache.prefix))
        and (invalidate_cache.tenant is null or f.tenant = invalidate_cache.tenant)
      order by f.scope, f.key, f.tenant for update);
  get diagnostics removed = row_count;
  return removed;
end $$;
comment on function millrace.invalidate_cache(text, text, text, text) is 'Removes values from the cache; answers how many.';
