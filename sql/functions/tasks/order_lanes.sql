-- The kinds of lanes in which something can be claimed at one priority, that first whose first task has been ready for longest: 'plain', 'limited' of
-- handlers under rules, and before it 'fitting' for the try to take all of those at once, 'laned' of those under one rule that leaves what it stops where it is,
-- 'turning' of those whose tasks take turns. There it is the first task of the first key: what becomes ready after it comes
-- later, so its time comes, and then that of all whose turn it is.
--
-- Who was called back from where it waited for a limit lies behind all that became ready meanwhile. So it is looked for by itself (its holds are not
-- null): behind a backlog of other steps, a full rule would let one in each time that all of them have been claimed. Where the lanes are looked at from their
-- beginning (at position -1, by who takes no position from it), it is even claimed first (see claim_limited), and the kind where somebody has a time of a rate, which is
-- good for two seconds, comes before all others. Workers look so once a second; those of the version before, from position 0, claim in the order of the ids.
create or replace function millrace.order_lanes(
  lane_handlers int[], lane_priorities smallint[], lane_positions bigint[], level smallint, laned_lanes int[], limited_lanes int[], turn_lanes int[], paused_lanes int[])
returns text[]
language plpgsql
as $$
declare
  calls boolean := coalesce(lane_positions[1] < 0, false);
begin
  return array(
    select k.kind
      from (select distinct on (f.kind) f.kind, f.ready_at, f.id, bool_or(f.is_called) over (partition by f.kind) as is_called
              from (select case when lane.handler = any (limited_lanes) then 'limited' when lane.handler = any (laned_lanes) then 'laned' else 'plain' end as kind, first.ready_at, first.id, false as is_called
                      from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
                     cross join lateral (
                       select t.ready_at, t.id from millrace.task t
                        where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                          and t.worker_id is null and t.turn_key is null
                        order by t.priority, t.id limit 1) first
                     where lane.priority = level and lane.handler <> all (paused_lanes)
                       and (lane.handler = any (limited_lanes || laned_lanes) or lane.handler <> all (turn_lanes))
                    union all
                    select case when lane.handler = any (limited_lanes) then 'limited' when lane.handler = any (laned_lanes) then 'laned' else 'turning' end,
                           case when calls and first.holds <> '{}' then '-infinity' else first.ready_at end, first.id, calls
                      from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
                     cross join lateral (
                       select t.ready_at, t.id, t.holds from millrace.task t
                        where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                          and t.worker_id is null and t.holds is not null
                        order by t.priority, t.id limit 1) first
                     where lane.priority = level and lane.handler = any (limited_lanes || laned_lanes || turn_lanes) and lane.handler <> all (paused_lanes)
                    union all
                    select 'turning', first.ready_at, first.id, false
                      from unnest(turn_lanes) h(id)
                     cross join lateral (
                       select t.ready_at, t.id from millrace.task t
                        where t.handler = h.id and t.priority = level and t.turn_key >= '' and t.worker_id is null order by t.turn_key limit 1) first
                     where h.id <> all (paused_lanes)) f
             order by f.kind, f.ready_at, f.id) g
     cross join lateral unnest(case when g.kind = 'limited' and not g.is_called then array['fitting', 'limited'] else array[g.kind] end) with ordinality k(kind, n)
     order by g.ready_at, g.id, k.n);
end $$;
comment on function millrace.order_lanes(int[], smallint[], bigint[], smallint, int[], int[], int[], int[])
  is 'The kinds of lanes in which something can be claimed at a priority, in the order of their first tasks.';
