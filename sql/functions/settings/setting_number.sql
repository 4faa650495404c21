-- The number that counts of a setting; null where it is no clear one, and none is taken in its place.
create or replace function millrace.setting_number(name text) returns bigint
language sql stable
as $$
  select n.number from millrace.number_settings() n where n.name = setting_number.name
$$;
comment on function millrace.setting_number(text) is 'The number that counts of a setting; null where it is no clear one, and none is taken in its place.';
