-- The priority of the most urgent ready task above a given priority, 10 where there is none: begun runs go first unless something more
-- urgent is ready and not left for want of room under a limit. Only what is more urgent is looked at, so that it costs nothing where all priorities are equal.
create or replace function millrace.best_priority(handlers int[], above smallint) returns smallint
language plpgsql stable
as $$
begin
  return coalesce((
    select min(f.priority)
      from (select first.priority
              from unnest(handlers) h(id)
             cross join lateral (
               select t.priority from millrace.task t
                where t.handler = h.id and t.worker_id is null and t.turn_key is null and t.priority < above order by t.priority, t.id limit 1) first
             cross join lateral (select case when first.priority is not null then millrace.lane_limit(h.id) end as state_id offset 0) l
             where l.state_id is null
            union all
            select first.priority
              from millrace.turn_handler h
             cross join lateral (
               select t.priority from millrace.task t
                where t.handler = h.handler and t.worker_id is null and t.turn_key is not null and t.priority < above order by t.priority, t.turn_key limit 1) first
             where h.handler = any (handlers)) f), 10);
end $$;
comment on function millrace.best_priority(int[], smallint) is 'The priority of the most urgent ready task above a given priority.';
