-- Marks firings that are not closed by their deadline, each once, and says so in the history of their runs. Answers how many. It waits for nobody, because
-- the end of a run waits for whoever has its firing. Of schedules that ping somebody, their lock is what pings are written under: one that somebody has at
-- hand, or whose last ping goes with a run that is being deleted, is left for the next time.
create or replace function millrace.mark_overdue(most int default 1000) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  silent bigint[] := array(
    select f.id from firing f join schedule s on s.id = f.schedule_id
     where f.deadline_at <= at and f.overdue_at is null and f.closed_at is null and s.ping_url is null and s.ping_secret is null
     order by f.deadline_at limit most for update of f skip locked);
  pinged bigint[] := array(
    select f.id from firing f join schedule s on s.id = f.schedule_id
     where f.deadline_at <= at and f.overdue_at is null and f.closed_at is null and (s.ping_url is not null or s.ping_secret is not null)
     order by f.deadline_at limit most for update of s, f skip locked);
  pings bigint[] := array(
    select p.id from ping p where p.schedule_id = any (array(select f.schedule_id from firing f where f.id = any (pinged))) for update skip locked);
begin
  pinged := array(
    select f.id from firing f
     where f.id = any (pinged) and not exists (select from ping p where p.schedule_id = f.schedule_id and p.id <> all (pings)));
  with told as (
    update firing f set overdue_at = at where f.id = any (silent || pinged) returning f.id, f.run_id, f.deadline_at, f.schedule_id
  )
  insert into event (run_id, at, actor, kind, detail)
  select t.run_id, at, 'millrace', 'firing.overdue', jsonb_build_object('schedule', s.name, 'firing', t.id, 'deadline', t.deadline_at)
    from told t join schedule s on s.id = t.schedule_id where t.run_id is not null;
  perform queue_pings(pinged, at);
  return cardinality(silent || pinged);
end $$;
comment on function millrace.mark_overdue(int) is 'Marks firings that are not closed by their deadline; answers how many.';
