-- The digest by which an idempotency key knows its input: the sha256 of it, or, of an encrypted one, the HMAC that came with it. digest_key names
-- the key of that which is stored, where there is one: it is compared with the HMAC under the same key.
create or replace function millrace.input_digest(input jsonb, digest_key text) returns bytea
language sql immutable parallel safe
as $$
  select case when digest_key is null then sha256(convert_to(coalesce(input, 'null')::text, 'UTF8'))
              else sha256(convert_to(coalesce(input #>> array['$encrypted', 'digests', digest_key], ''), 'UTF8')) end
$$;
comment on function millrace.input_digest(jsonb, text) is 'The digest by which an idempotency key knows its input.';
