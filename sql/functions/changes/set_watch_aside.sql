-- Puts a watch off of which a batch can't be told, so that it holds up no other one: for a moment where it waits for somebody, else for half a minute. Its
-- first change says why, and is held up by nothing else.
create or replace function millrace.set_watch_aside(watch_id int, state text, reason text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  update millrace.change c
     set held_until = set_watch_aside.at, held_reason = case state when '55P03' then 'an open transaction holds what its batch needs' else left(reason, 500) end
   where c.watch_id = set_watch_aside.watch_id
     and c.id = any (array(select f.id from millrace.change f where f.watch_id = set_watch_aside.watch_id order by f.id limit 1 for update skip locked));
  update millrace.change_watch w
     set served_at = set_watch_aside.at, look_at = set_watch_aside.at + case state when '55P03' then interval '500 ms' else interval '30 s' end
   where w.id = set_watch_aside.watch_id;
end $$;
comment on function millrace.set_watch_aside(int, text, text, timestamptz) is 'Puts a watch off of which a batch can''t be told.';
