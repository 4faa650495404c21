-- The columns that tell the rows of a watched table apart: those that the watch names, else its primary key; none where there is none.
create or replace function millrace.watch_key(watched millrace.change_watch, relation oid) returns text[]
language sql stable
as $$
  select case when watched.settings ? 'key' then array(select jsonb_array_elements_text(watched.settings -> 'key'))
              else array(select a.attname::text
                           from pg_index i cross join unnest(i.indkey::int2[]) with ordinality k(attnum, n)
                           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                          where i.indrelid = relation and i.indisprimary order by k.n) end
$$;
comment on function millrace.watch_key(millrace.change_watch, oid) is 'The columns that tell the rows of a watched table apart.';
