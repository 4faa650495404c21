-- The text that a claim holds, at the path that a setting names; null where there is none, or something else.
create or replace function millrace.claim_text(claims jsonb, setting_name text) returns text
language plpgsql stable
as $$
declare
  path jsonb;
  found_claim jsonb := claims;
begin
  select s.value into path from millrace.setting s where s.name = setting_name;
  if jsonb_typeof(path) is distinct from 'array' or path = '[]' then
    return null;
  end if;
  for step in 0 .. jsonb_array_length(path) - 1 loop
    found_claim := found_claim -> (path ->> step);
  end loop;
  return case when jsonb_typeof(found_claim) = 'string' then found_claim #>> '{}' end;
end $$;
comment on function millrace.claim_text(jsonb, text) is 'The text that a claim holds, at the path that a setting names.';
