-- The bucket of a key, from 0 to 999: the first 48 bits of its SHA-256, with the pipeline's name, so that two pipelines that split by the same
-- key split independently. It never changes: the same key is in the same bucket for ever.
create or replace function millrace.split_bucket(slug text, key text) returns smallint
language sql immutable parallel safe
as $$
  select (('x' || encode(substring(sha256(convert_to(slug || ' ' || key, 'UTF8')) from 1 for 6), 'hex'))::bit(48)::bigint % 1000)::smallint
$$;
comment on function millrace.split_bucket(text, text) is 'The bucket of a key, from 0 to 999.';
