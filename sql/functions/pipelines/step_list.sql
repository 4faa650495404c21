-- Names of steps as sentences list them.
create or replace function millrace.step_list(steps text[]) returns text
language sql immutable parallel safe
as $$
  select coalesce(string_agg(format('''%s''', name), ', ' order by name), 'nothing') from unnest(steps) name
$$;
comment on function millrace.step_list(text[]) is 'Names of steps as sentences list them.';
