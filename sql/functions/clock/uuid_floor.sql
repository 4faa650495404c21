-- The least version 7 id of a moment: where a partition or a range by time begins.
create or replace function millrace.uuid_floor(at timestamptz) returns uuid
language sql immutable parallel safe
as $$
  select (lpad(to_hex(greatest(0, floor(extract(epoch from at) * 1000)::bigint)), 12, '0') || '00000000000000000000')::uuid
$$;
comment on function millrace.uuid_floor(timestamptz) is 'The least id that a run of this moment can have.';
