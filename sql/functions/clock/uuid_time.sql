-- The time inside a version 7 id.
create or replace function millrace.uuid_time(id uuid) returns timestamptz
language sql immutable parallel safe
as $$
  select to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
$$;
comment on function millrace.uuid_time(uuid) is 'The moment at which a version 7 id was made.';
