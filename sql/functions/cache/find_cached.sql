-- One value of the cache for one attempt, or the claim on its key: won, where nobody computes it, or that of somebody else, who is then to
-- notify its end; or the attempt's own, which it asked for before: in the same turn, or in a call whose answer was lost.
create or replace function millrace.find_cached(
  scope text, key text, tenant text, run_id uuid, task_id bigint, step_id int, attempt int, worker_id uuid, at timestamptz)
returns table (kind text, value jsonb, computed_by uuid, computed_at timestamptz, claim_id bigint)
language plpgsql
as $$
#variable_conflict use_column
declare
  is_own boolean;
begin
  loop
    return query
      select 'hit', e.value, e.run_id, e.computed_at, null::bigint from cache_entry e
       where e.scope = find_cached.scope and e.key = find_cached.key and e.tenant is not distinct from find_cached.tenant
         and e.expires_at > find_cached.at;
    if found then
      return;
    end if;
    delete from cache_claim c
     where c.scope = find_cached.scope and c.key = find_cached.key and c.tenant is not distinct from find_cached.tenant
       and not exists (select from task t where t.id = c.task_id and t.step_id = c.step_id and t.attempt = c.attempt
                          and t.worker_id = c.worker_id and t.aborted_at is null);
    insert into cache_claim (scope, key, tenant, run_id, task_id, step_id, attempt, worker_id, claimed_at)
    values (find_cached.scope, find_cached.key, find_cached.tenant, find_cached.run_id, find_cached.task_id, find_cached.step_id,
            find_cached.attempt, find_cached.worker_id, find_cached.at)
        on conflict do nothing
    returning id into claim_id;
    if claim_id is not null then
      -- Stored, and its claim gone, since this began to look: then that is the value.
      if exists (select from cache_entry e where e.scope = find_cached.scope and e.key = find_cached.key
                    and e.tenant is not distinct from find_cached.tenant and e.expires_at > find_cached.at) then
        delete from cache_claim c where c.id = claim_id;
        continue;
      end if;
      return query select 'computing', null::jsonb, null::uuid, null::timestamptz, claim_id;
      return;
    end if;
    update cache_claim c set awaited = true
     where c.scope = find_cached.scope and c.key = find_cached.key and c.tenant is not distinct from find_cached.tenant
    returning c.id, (c.task_id, c.step_id, c.attempt, c.worker_id)
                    = (find_cached.task_id, find_cached.step_id, find_cached.attempt, find_cached.worker_id) into claim_id, is_own;
    if claim_id is not null then
      return query select case when is_own then 'own' else 'busy' end, null::jsonb, null::uuid, null::timestamptz, claim_id;
      return;
    end if;
  end loop;
end $$;
comment on function millrace.find_cached(text, text, text, uuid, bigint, int, int, uuid, timestamptz) is 'One value of the cache for an attempt, or the claim on its key.';
