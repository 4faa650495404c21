-- The kinds of lanes in which something can be claimed at one priority, that first whose first task came first: 'plain', 'limited' of handlers under
-- rules, and before it 'fitting' for the try to take all of those at once, 'turning' of those whose tasks take turns. There it is the task whose turn it
-- is: what comes after it has a greater id, so its time comes.
create or replace function millrace.order_lanes(
  lane_handlers int[], lane_priorities smallint[], lane_positions bigint[], level smallint, judged_lanes int[], limited_lanes int[], turn_lanes int[], paused_lanes int[])
returns text[]
language plpgsql
as $$
begin
  return array(
    select k.kind
      from (select f.kind, min(f.id) as first
              from (select case when lane.handler = any (limited_lanes) then 'limited' else 'plain' end as kind, first.id
                      from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
                     cross join lateral (
                       select t.id from millrace.task t
                        where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                          and t.worker_id is null and t.turn_key is null
                        order by t.priority, t.id limit 1) first
                     where lane.priority = level and lane.handler <> all (paused_lanes)
                       and (lane.handler = any (limited_lanes) or lane.handler <> all (judged_lanes))
                    union all
                    select 'turning', first.id
                      from unnest(turn_lanes) h(id)
                     cross join lateral (
                       select t.id from millrace.task t
                        where t.handler = h.id and t.priority = level and t.turn_key >= '' and t.worker_id is null order by t.turn_key limit 1) first
                     where h.id <> all (paused_lanes)) f
             group by f.kind) g
     cross join lateral unnest(case g.kind when 'limited' then array['fitting', 'limited'] else array[g.kind] end) with ordinality k(kind, n)
     order by g.first, k.n);
end $$;
comment on function millrace.order_lanes(int[], smallint[], bigint[], smallint, int[], int[], int[], int[])
  is 'The kinds of lanes in which something can be claimed at a priority, in the order of their first tasks.';
