-- Writes down which keys were used since the last time, and from where. Rows in order, so that servers that write at once never wait in a circle.
create or replace function millrace.record_key_uses(ids uuid[], addresses text[], seconds_ago float8[]) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  insert into api_key_use as u (key_id, used_at, used_from)
  select g.id, at - make_interval(secs => greatest(0, least(g.seconds, 3600))), left(g.address, 100)
    from unnest(ids, addresses, seconds_ago) g(id, address, seconds) join api_key k on k.id = g.id
   order by g.id
      on conflict (key_id) do update set used_at = excluded.used_at, used_from = excluded.used_from where u.used_at < excluded.used_at;
end $$;
comment on function millrace.record_key_uses(uuid[], text[], float8[]) is 'Writes down which keys were used, when, and from where.';
