-- Registers the interest in a run's end and answers how it stands now; the watcher is notified on millrace_end. The run's row is locked for
-- the moment: an end under way is waited for and read, one that comes after sees the watcher.
create or replace function millrace.watch_run(run_id uuid, watcher uuid, seconds int)
returns table (slug text, state text, output jsonb, error jsonb)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  insert into run_watch as known (run_id, watcher, expires_at)
  select r.id, watch_run.watcher, at + make_interval(secs => least(watch_run.seconds, 3600))
    from (select id from run where id = watch_run.run_id and finished_at is null for share) r
      on conflict (run_id, watcher) do update set expires_at = excluded.expires_at;
  return query select r.slug, r.state, r.output, r.error from run r where r.id = watch_run.run_id;
end $$;
comment on function millrace.watch_run(uuid, uuid, int) is 'Registers the interest in a run''s end and answers how it stands now.';
