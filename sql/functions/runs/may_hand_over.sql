-- Whether starts may come back already leased to the worker of their own process: it is alive and takes work, serves all of it,
-- nothing is paused, and nothing that it could claim stands ahead.
create or replace function millrace.may_hand_over(worker_id uuid, lock_key int, handlers int[], least_urgent smallint)
returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  served int[];
begin
  if not enter_worker(worker_id, lock_key) then
    return false;
  end if;
  select w.handed_handlers into served from worker w
   where w.id = worker_id and w.state in ('idle', 'running') and w.ordered_state is null;
  if not found or not may_hand_over.handlers <@ served or paused_handlers() && served or limited_handlers(may_hand_over.handlers) <> '{}' then
    return false;
  end if;
  return not exists (
    select from unnest(served) h(id)
     cross join lateral (
       select t.id from task t
        where t.handler = h.id and t.worker_id is null and t.turn_key is null and t.priority <= least_urgent
        order by t.priority, t.id limit 1) ahead
    union all
    select from turn_handler f
     cross join lateral (
       select from task t
        where t.handler = f.handler and t.worker_id is null and t.turn_key is not null and t.priority <= least_urgent
        order by t.priority, t.turn_key limit 1) ahead
     where f.handler = any (served));
end $$;
comment on function millrace.may_hand_over(uuid, int, int[], smallint) is 'Whether starts may come back already leased to this worker.';
