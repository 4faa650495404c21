-- Whether something in a value is encrypted with another key than this one.
create or replace function millrace.has_other_key(value jsonb, key text) returns boolean
language sql immutable parallel safe
as $$
  select coalesce(jsonb_path_exists(value, '$.**."$encrypted".key ? (@ != $key)', jsonb_build_object('key', key)), false)
$$;
comment on function millrace.has_other_key(jsonb, text) is 'Whether something in a value is encrypted with another key than this one.';
