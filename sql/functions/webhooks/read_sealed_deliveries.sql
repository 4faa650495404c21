-- The bodies of deliveries that are encrypted with another key than this one, after a delivery's id; twenty at most, since each may hold megabytes.
create or replace function millrace.read_sealed_deliveries(key text, after uuid default null)
returns table (id uuid, webhook text, provider_id text, sealed_body jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  return query
    select d.id, d.webhook, d.provider_id, d.sealed_body from delivery d
     where d.sealed_body is not null and has_other_key(d.sealed_body, read_sealed_deliveries.key)
       and (read_sealed_deliveries.after is null or d.id > read_sealed_deliveries.after)
     order by d.id limit 20;
end $$;
comment on function millrace.read_sealed_deliveries(text, uuid) is 'The bodies of deliveries that are encrypted with another key than this one.';
