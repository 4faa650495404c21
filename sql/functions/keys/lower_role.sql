-- The role of two that may do less.
create or replace function millrace.lower_role(one text, other text) returns text
language sql immutable
as $$
  select case when 'viewer' in (one, other) then 'viewer' when 'operator' in (one, other) then 'operator' else 'admin' end
$$;
comment on function millrace.lower_role(text, text) is 'The role of two that may do less.';
