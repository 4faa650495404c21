-- The keys of which a change is put off, each with its first one: all later ones of that key wait behind it. Null where there is none.
create or replace function millrace.held_places(watch_id int, at timestamptz) returns jsonb
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return (
    select jsonb_object_agg(h.place, h.first_id)
      from (select md5(jsonb_build_array(c.tenant, c.key)::text) as place, min(c.id) as first_id
              from millrace.change c where c.watch_id = held_places.watch_id and c.held_until > held_places.at group by 1) h
    having count(*) > 0);
end $$;
comment on function millrace.held_places(int, timestamptz) is 'The keys of which a change is put off, each with its first one.';
