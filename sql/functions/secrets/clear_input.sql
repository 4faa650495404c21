-- What SQL may read of an input: all of it, or, of an encrypted one, the values that its start gave in the clear beside it. Whatever reads a
-- path into an input (run keys, shares of a split) asks here.
create or replace function millrace.clear_input(input jsonb) returns jsonb
language sql immutable parallel safe
as $$
  select case when jsonb_typeof(input -> '$encrypted') = 'object' then coalesce(input #> '{$encrypted,clear}', '{}') else input end
$$;
comment on function millrace.clear_input(jsonb) is 'What SQL may read of an input: of an encrypted one, the values given in the clear beside it.';
