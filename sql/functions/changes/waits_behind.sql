-- Whether a change waits behind one of its key that is put off, as held_places tells them: for next to nothing where none is.
create or replace function millrace.waits_behind(held jsonb, tenant text, key jsonb, id bigint) returns boolean
language sql stable
as $$
  select case when held is null then false else coalesce((held ->> md5(jsonb_build_array(tenant, key)::text))::bigint < id, false) end
$$;
comment on function millrace.waits_behind(jsonb, text, jsonb, bigint) is 'Whether a change waits behind one of its key that is put off.';
