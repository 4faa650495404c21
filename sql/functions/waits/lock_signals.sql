-- Keeps signals from being sent while a step that waits for them parks, or steps from parking while one is sent: so each sees the other.
-- A step locks its names, and its names within its run, together with others; a sender locks what it sends to alone. In the order of the
-- keys, so that nobody waits in a circle.
create or replace function millrace.lock_signals(run_ids uuid[], names text[]) returns void
language plpgsql
as $$
begin
  perform pg_advisory_xact_lock_shared(77424, k.key)
     from (select distinct hashtext(key) as key
             from unnest(run_ids, names) g(run_id, name)
            cross join lateral (values (g.name), (g.run_id || ' ' || g.name)) both_keys(key)
            order by 1) k;
end $$;
comment on function millrace.lock_signals(uuid[], text[]) is 'Keeps signals of these names from being sent while steps park that wait for them.';
