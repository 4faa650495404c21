-- The key with which the digest of an encrypted input was made: that which encrypted it. Null for an input in the clear, and for one that
-- brought no digest.
create or replace function millrace.digest_key(input jsonb) returns text
language sql immutable parallel safe
as $$
  select case when input #> array['$encrypted', 'digests', input #>> '{$encrypted,key}'] is not null then input #>> '{$encrypted,key}' end
$$;
comment on function millrace.digest_key(jsonb) is 'The key with which the digest of an encrypted input was made.';
