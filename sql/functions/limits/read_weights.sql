-- Reads how many tasks keys begin each turn: an object of at most a thousand whole numbers from 1 to 1,000.
create or replace function millrace.read_weights(name text, weights jsonb) returns jsonb
language plpgsql immutable
as $$
declare
  bad record;
begin
  if jsonb_typeof(weights) <> 'object' or (select count(*) from jsonb_object_keys(weights)) > 1000 then
    raise exception 'The weights of limit ''%'' are no object of at most 1,000 numbers.', name
      using errcode = 'MR060', hint = 'Write them as {"acme": 3}, and give all others one default_weight.';
  end if;
  select w.key, w.value into bad from jsonb_each(weights) w
   where jsonb_typeof(w.value) <> 'number' or length(w.key) > 200 or w.value::text !~ '^[1-9][0-9]{0,3}$' or w.value::text::int > 1000 limit 1;
  if found then
    raise exception 'The weight of ''%'' in limit ''%'' is %; it must be a whole number from 1 to 1000.', left(bad.key, 100), name, left(bad.value::text, 100)
      using errcode = 'MR060', hint = 'A key of weight 3 begins three tasks each turn.';
  end if;
  return weights;
end $$;
comment on function millrace.read_weights(text, jsonb) is 'Reads how many tasks keys begin each turn.';
