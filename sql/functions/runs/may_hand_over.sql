-- Whether starts may come back already leased to the worker of their own process: it is alive and takes work, serves all of it,
-- nothing is paused or under a rule, and nothing that it could claim stands ahead, but what is left for want of room under a limit. All of that is one statement: its snapshot is taken once it has the tables,
-- so a start that waited for somebody who defines a rule sees that rule (see limited_handlers).
create or replace function millrace.may_hand_over(worker_id uuid, lock_key int, handlers int[], least_urgent smallint)
returns boolean
language plpgsql
as $$
#variable_conflict use_column
begin
  if not enter_worker(worker_id, lock_key) then
    return false;
  end if;
  return exists (
    select from worker w
     where w.id = may_hand_over.worker_id and w.state in ('idle', 'running') and w.ordered_state is null and may_hand_over.handlers <@ w.handed_handlers
       and not exists (select from limited_step l where l.handler = any (may_hand_over.handlers))
       and not exists (select from turn_handler f where f.handler = any (may_hand_over.handlers))
       and not exists (select from pipeline p join handler h on h.slug = p.slug where p.paused_at is not null and h.id = any (w.handed_handlers))
       and not exists (
         select from unnest(w.handed_handlers) h(id)
          cross join lateral (
            select t.id from task t
             where t.handler = h.id and t.worker_id is null and t.turn_key is null and t.priority <= least_urgent
             order by t.priority, t.id limit 1) ahead
          cross join lateral (select case when ahead.id is not null then lane_limit(h.id) end as state_id offset 0) l
          where l.state_id is null)
       and not exists (
         select from turn_handler f
          cross join lateral (
            select from task t
             where t.handler = f.handler and t.worker_id is null and t.turn_key is not null and t.priority <= least_urgent
             order by t.priority, t.turn_key limit 1) ahead
          where f.handler = any (w.handed_handlers)));
end $$;
comment on function millrace.may_hand_over(uuid, int, int[], smallint) is 'Whether starts may come back already leased to this worker.';
