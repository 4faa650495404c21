-- What a run gets of a change: the change, or what the watch takes out of it.
create or replace function millrace.change_input(watched millrace.change_watch, change jsonb) returns jsonb
language plpgsql stable
as $$
begin
  return case when not watched.settings ? 'map' then change
              else (select coalesce(jsonb_object_agg(m.key, change #> array(select jsonb_array_elements_text(m.value))), '{}')
                      from jsonb_each(watched.settings -> 'map') m
                     where change #> array(select jsonb_array_elements_text(m.value)) is not null) end;
end $$;
comment on function millrace.change_input(millrace.change_watch, jsonb) is 'What a run gets of a change.';
