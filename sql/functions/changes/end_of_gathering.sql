-- Up to which change the next batch of a watch is gathered that tells changes by their keys: the first ones by id that neither are put off nor wait behind
-- one that is. Who asks for few found that more are too large together, however few their keys: then fewer of them are looked at. Null where there is none.
create or replace function millrace.end_of_gathering(watch_id int, most int, at timestamptz) returns bigint
language plpgsql stable
as $$
#variable_conflict use_variable
declare
  held jsonb := millrace.held_places(watch_id, at);
begin
  return (
    select max(f.id)
      from (select c.id from millrace.change c
             where c.watch_id = end_of_gathering.watch_id and (c.held_until is null or c.held_until <= at) and not millrace.waits_behind(held, c.tenant, c.key, c.id)
             order by c.id limit case when most > 5 then 20000 when most > 1 then 500 else 5 end) f);
end $$;
comment on function millrace.end_of_gathering(int, int, timestamptz) is 'Up to which change the next batch of a watch is gathered.';
