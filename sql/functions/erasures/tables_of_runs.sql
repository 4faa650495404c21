-- The tables with rows of runs, read from the catalog, so that none is forgotten: those that are locked in an order first, in that order, the
-- others after them. The runs themselves are not among them, and no week that was taken out of the history and is about to be dropped.
create or replace function millrace.tables_of_runs() returns text[]
language sql stable
as $$
  select array(
    select c.relname::text
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'run_id' and a.atttypid = 'uuid'::regtype and not a.attisdropped
     where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname !~ '_[0-9]{4}w[0-9]{2}$'
     order by array_position(array['task', 'waiting_task', 'join_state', 'map_item', 'live_key', 'run_deadline', 'wait_signal', 'wait', 'approval', 'signal'],
                             c.relname::text), c.relname)
$$;
comment on function millrace.tables_of_runs() is 'The tables with rows of runs, in the order in which they are locked.';
