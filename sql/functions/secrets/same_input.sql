-- Whether two inputs are the same. Of encrypted ones, which never look alike, the digests say it: one under any key that both were made with.
create or replace function millrace.same_input(one jsonb, other jsonb) returns boolean
language sql immutable parallel safe
as $$
  select case when jsonb_typeof(one #> '{$encrypted,digests}') = 'object' and jsonb_typeof(other #> '{$encrypted,digests}') = 'object'
              then exists (select from jsonb_each(one #> '{$encrypted,digests}') d(key, digest)
                            where other #> array['$encrypted', 'digests', d.key] = d.digest)
              else one is not distinct from other end
$$;
comment on function millrace.same_input(jsonb, jsonb) is 'Whether two inputs are the same; of encrypted ones their digests say it.';
