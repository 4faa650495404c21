-- Where another input differs from that of a run: for whoever is told that an idempotency key was used with another one. Null where the run is gone,
-- or its input is encrypted: then only who has the key can say it.
create or replace function millrace.input_difference(run_id uuid, input jsonb) returns text[]
language sql stable
as $$
  select case when r.input -> '$encrypted' is null and input_difference.input -> '$encrypted' is null then array(
           select coalesce(nullif(array_to_string(array(select jsonb_array_elements_text(d.difference -> 'path')), '.'), ''), 'the whole of it')
             from jsonb_array_elements(millrace.json_difference(r.input, input_difference.input)) d(difference) limit 10) end
    from millrace.run r where r.id = input_difference.run_id
$$;
comment on function millrace.input_difference(uuid, jsonb) is 'Where another input differs from that of a run.';
