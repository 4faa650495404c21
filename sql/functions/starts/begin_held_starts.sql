-- Lets runs begin that took the place of others, where all of those have ended and none of their handlers is at work. A run that was itself replaced
-- counts as ended only once the one before it has: so at most one of a key is in progress, however many come in a row. What somebody has
-- locked is looked at again by the next sweep.
create or replace function millrace.begin_held_starts(at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  ready uuid[];
begin
  if not exists (select from held_start) then
    return;
  end if;
  for round in 1 .. 100 loop
    ready := array(
      select distinct h.run_id from held_start h
       where not exists (select from held_start o join run r on r.id = o.behind_run where o.run_id = h.run_id and r.finished_at is null)
         and not exists (select from held_start o join task t on t.run_id = o.behind_run where o.run_id = h.run_id)
         and not exists (select from held_start o join held_start b on b.run_id = o.behind_run where o.run_id = h.run_id)
         and not exists (select from cancellation c join run r on r.id = c.run_id where c.run_id = h.run_id and r.finished_at is null)
       limit 1000);
    exit when ready = '{}';
    with free as (
      select w.id from waiting_task w where w.run_id = any (ready) and w.reason = 'behind' order by w.id + 0 for update skip locked
    )
    update waiting_task w set reason = 'delayed', available_at = greatest(h.available_at, at)
      from free, held_start h where w.id = any (array[free.id]) and h.run_id = w.run_id;
    update run r set available_at = w.available_at
      from waiting_task w
     where w.run_id = any (ready) and w.reason = 'delayed'
       and r.id = any (array(select n.id from run n where n.id = any (ready) and n.state = 'pending' order by n.id for update skip locked)) and r.id = w.run_id;
    delete from held_start h
     where h.run_id = any (ready) and not exists (select from waiting_task w where w.run_id = h.run_id and w.reason = 'behind');
    exit when not found;
  end loop;
end $$;
comment on function millrace.begin_held_starts(timestamptz) is 'Lets runs begin that took the place of others that have ended.';
