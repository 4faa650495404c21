-- Marks firings that are not closed by their deadline, each once, and says so in the history of their runs. Answers how many.
create or replace function millrace.mark_overdue(most int default 1000) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  marked bigint[];
begin
  with late as (
    select f.id from firing f
     where f.deadline_at <= at and f.overdue_at is null and f.closed_at is null
     order by f.deadline_at limit most for update skip locked
  ), told as (
    update firing f set overdue_at = at from late where f.id = late.id returning f.id, f.run_id, f.deadline_at, f.schedule_id
  ), written as (
    insert into event (run_id, at, actor, kind, detail)
    select t.run_id, at, 'millrace', 'firing.overdue', jsonb_build_object('schedule', s.name, 'firing', t.id, 'deadline', t.deadline_at)
      from told t join schedule s on s.id = t.schedule_id where t.run_id is not null
  )
  select coalesce(array_agg(t.id), '{}') into marked from told t;
  perform queue_pings(marked, at);
  return cardinality(marked);
end $$;
comment on function millrace.mark_overdue(int) is 'Marks firings that are not closed by their deadline; answers how many.';
