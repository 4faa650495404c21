-- The ends that a callback names, each once; all of them where it names none.
create or replace function millrace.callback_ends(events jsonb) returns text[]
language sql immutable parallel safe
as $$
  select array(select distinct e from jsonb_array_elements_text(coalesce(nullif(callback_ends.events, 'null'), '["completed", "failed", "cancelled"]')) e order by e)
$$;
comment on function millrace.callback_ends(jsonb) is 'The ends that a callback names; all where it names none.';
