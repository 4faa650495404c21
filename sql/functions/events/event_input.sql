-- The input that a subscription makes of a payload: all of it, or an object of what lies at its paths. What isn't there is left out.
create or replace function millrace.event_input(payload jsonb, input_paths jsonb) returns jsonb
language sql immutable parallel safe
as $$
  select case when event_input.input_paths is null then event_input.payload else coalesce((
    select jsonb_object_agg(p.field, event_input.payload #> p.path)
      from (select f.key as field, array(select jsonb_array_elements_text(f.value)) as path from jsonb_each(event_input.input_paths) f) p
     where event_input.payload #> p.path is not null), '{}') end
$$;
comment on function millrace.event_input(jsonb, jsonb) is 'The input that a subscription makes of a payload.';
