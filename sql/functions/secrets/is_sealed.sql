-- Whether a value may be stored where a pipeline is encrypted: it is encrypted, or nothing.
create or replace function millrace.is_sealed(value jsonb) returns boolean
language sql immutable parallel safe
as $$
  select value is null or value = 'null' or coalesce(
    jsonb_typeof(value #> '{$encrypted,key}') = 'string' and jsonb_typeof(value #> '{$encrypted,nonce}') = 'string'
    and jsonb_typeof(value #> '{$encrypted,data}') = 'string', false)
$$;
comment on function millrace.is_sealed(jsonb) is 'Whether a value is encrypted, or nothing.';
