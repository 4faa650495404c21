-- The next step that follows a run's outcome; null where none is left. First what was completed is undone, the last one first; then comes the
-- step of the outcome itself. Only what a handler completed has an effect to undo: neither a fallback nor a map without items. A step is
-- never undone before one that came after it, whatever the clock said meanwhile.
create or replace function millrace.next_ending(ending millrace.run) returns int
language plpgsql stable
as $$
declare
  next_id int;
begin
  if (ending).outcome <> 'completed' then
    with recursive open as materialized (
      select u.id, done.step, done.position, completed.at
        from millrace.step_definition u
        join millrace.step_definition done on done.slug = u.slug and done.version = u.version and done.step = u.undoes
       cross join lateral (
         select max(a.finished_at) as at from millrace.attempt a
          where a.run_id = (ending).id and a.step = u.undoes and a.outcome = 'completed' and a.worker_id is not null) completed
       where u.slug = (ending).slug and u.version = (ending).version and u.kind = 'undo' and completed.at is not null
         and not exists (select from millrace.attempt a where a.run_id = (ending).id and a.step = u.step)
    ), later as (
      select o.step, d.step as after
        from open o join millrace.step_definition d on d.slug = (ending).slug and d.version = (ending).version and o.step = any (d.needs)
       union
      select l.step, d.step
        from later l join millrace.step_definition d on d.slug = (ending).slug and d.version = (ending).version and l.after = any (d.needs)
    )
    select o.id into next_id from open o
     where not exists (select from later l join open still on still.step = l.after where l.step = o.step)
     order by o.at desc, o.position desc limit 1;
  end if;
  if next_id is null then
    select d.id into next_id from millrace.step_definition d
     where d.slug = (ending).slug and d.version = (ending).version and d.kind = 'finally' and d.follows = (ending).outcome
       -- Once for each failure of the run: a redrive gives it another one.
       and not exists (select from millrace.attempt a
                        where a.run_id = (ending).id and a.step = d.step and a.finished_at >= coalesce(
                          (select max(e.at) from millrace.event e where e.run_id = (ending).id and e.kind = 'run.redriven'), '-infinity'));
  end if;
  return next_id;
end $$;
comment on function millrace.next_ending(millrace.run) is 'The next step that follows a run''s outcome.';
