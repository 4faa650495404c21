-- A time-ordered id (RFC 9562, version 7): PostgreSQL has its own only from 18 on.
create or replace function millrace.uuid_v7(at timestamptz) returns uuid
language sql volatile parallel safe
as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;
comment on function millrace.uuid_v7(timestamptz) is 'A new id that sorts by the given time.';
