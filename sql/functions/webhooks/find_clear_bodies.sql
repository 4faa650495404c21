-- The deliveries, by their places, that start an encrypted pipeline and are not sealed: who received them did not know of it yet.
create or replace function millrace.find_clear_bodies(given millrace.received_delivery[], starts jsonb) returns int[]
language sql stable
as $$
  select array(
    select distinct s.place
      from jsonb_to_recordset(find_clear_bodies.starts) s(place int, slug text, version int)
      join millrace.pipeline p on p.slug = s.slug
      join millrace.pipeline_version v on v.slug = p.slug and v.version = coalesce(s.version, p.active_version) and v.is_encrypted
     where given[s.place].sealed_body is null)
$$;
comment on function millrace.find_clear_bodies(millrace.received_delivery[], jsonb) is 'The deliveries that start an encrypted pipeline and are not sealed.';
