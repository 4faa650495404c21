-- The weeks for which there are tables of the history beside the default ones, the oldest first: those that the history is made of, or those that
-- were taken out of it and wait to be dropped: not what somebody else took out, and keeps.
create or replace function millrace.weeks_of_runs(attached boolean) returns text[]
language sql stable
as $$
  select array(select distinct right(c.relname, 7)
    from pg_class c join unnest(millrace.history_tables()) h(parent) on c.relname ~ ('^' || h.parent || '_[0-9]{4}w[0-9]{2}$')
   where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r' and c.relispartition = attached
     and (attached or obj_description(c.oid, 'pg_class') = 'Was taken out of the history, and is to be dropped.')
   order by 1)
$$;
comment on function millrace.weeks_of_runs(boolean) is 'The weeks of which the history has tables, or those that were taken out of it.';
