-- A key of several paths, or of one that leads elsewhere than into the input: the JSON list of their values, or the one value. What is
-- missing is null, so that a claim never fails for an input; what is long is its hash.
create or replace function millrace.composed_key(key_paths jsonb, input jsonb, item_value jsonb, tenant text) returns text
language plpgsql immutable
as $$
declare
  found_values jsonb;
  key text;
begin
  if key_paths = '[]' then
    return '';
  end if;
  found_values := (
    select jsonb_agg(millrace.limit_value(array(select jsonb_array_elements_text(p.path)), input, item_value, tenant) order by p.n)
      from jsonb_array_elements(key_paths) with ordinality p(path, n));
  key := case when jsonb_array_length(found_values) = 1 and jsonb_typeof(found_values -> 0) = 'string' then found_values ->> 0
              when jsonb_array_length(found_values) = 1 then (found_values -> 0)::text else found_values::text end;
  return case when length(key) > 200 then 'md5:' || md5(key) else key end;
end $$;
comment on function millrace.composed_key(jsonb, jsonb, jsonb, text) is 'A key of several paths, or of one that leads elsewhere than into the input.';
