-- A start that a rule refused has used up neither its run key nor its idempotency key; of one that went into another run, the idempotency key
-- is that run's.
create or replace function millrace.settle_start_keys(
  of_run uuid, slug text, tenant text, idempotency_key text, seconds int, input jsonb, reason text, live_run uuid, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  delete from live_key l where l.run_id = of_run;
  if idempotency_key is null then
    return;
  end if;
  delete from idempotency i
   where i.slug = settle_start_keys.slug and i.key = settle_start_keys.idempotency_key and i.tenant is not distinct from settle_start_keys.tenant and i.run_id = of_run;
  if settle_start_keys.reason = 'coalesced' then
    insert into idempotency (slug, tenant, key, input_digest, input_digest_key, run_id, expires_at)
    values (settle_start_keys.slug, settle_start_keys.tenant, settle_start_keys.idempotency_key, input_digest(settle_start_keys.input, digest_key(settle_start_keys.input)),
            digest_key(settle_start_keys.input), live_run, at + make_interval(secs => coalesce(seconds, 86400)))
        on conflict do nothing;
  end if;
end $$;
comment on function millrace.settle_start_keys(uuid, text, text, text, int, jsonb, text, uuid, timestamptz) is 'Settles the keys of a start that a rule refused.';
