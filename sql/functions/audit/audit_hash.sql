-- The hash of an entry in the chain: SHA-256 of the hash before it, in hexadecimal digits, a line feed, and the entry. Before the first one stand 64 zeros.
create or replace function millrace.audit_hash(previous bytea, entry text) returns bytea
language sql immutable parallel safe
as $$
  select sha256(convert_to(coalesce(encode(previous, 'hex'), repeat('0', 64)) || E'\n' || entry, 'UTF8'))
$$;
comment on function millrace.audit_hash(bytea, text) is 'The hash of an entry in the chain.';
