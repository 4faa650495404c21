-- As watch_run, for runs that one process awaits together. Nothing is waited for here: of a live run whose row somebody holds at this moment,
-- such as for an end under way, neither the interest is registered nor its end known; `registered` says so, and the caller asks again.
create or replace function millrace.watch_runs(run_ids uuid[], watcher uuid, seconds int)
returns table (id uuid, registered boolean, slug text, state text, output jsonb, error jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  until timestamptz := millrace.now() + make_interval(secs => least(watch_runs.seconds, 3600));
  free_ids uuid[] := array(
    select r.id from run r where r.id = any (watch_runs.run_ids) and r.finished_at is null for share skip locked);
begin
  insert into run_watch as known (run_id, watcher, expires_at)
  select f, watch_runs.watcher, until from unnest(free_ids) f order by f
      on conflict (run_id, watcher) do update set expires_at = excluded.expires_at;
  return query
    select r.id, r.id = any (free_ids), r.slug, r.state, r.output, r.error from run r where r.id = any (watch_runs.run_ids);
end $$;
comment on function millrace.watch_runs(uuid[], uuid, int)
  is 'Registers the interest in the ends of runs that nobody holds at this moment, and answers how all of them stand now.';
