-- Claims up to `room` tasks for a worker, by priority and then first come, first served: of the tasks under rules, those that take turns and all others,
-- that kind is first whose first task came first, so that none waits for the slots that a steady stream of another leaves. Those under rules are taken all at
-- once where there is room for all of them, and else judged one by one.
--
-- A lane is a handler and a priority, with the last position that the worker has seen there: dead index entries before it, kept
-- by somebody's long transaction, are not read again. A worker looks from position 0 once a second, so that nothing stays behind.
-- The look for levels has a limit, so that it is made lane by lane: a planner that thinks the table empty would read all of its entries once.
-- A claim may have read the clock before the failure committed whose next try it finds: an attempt begins no earlier than it was ready.
-- Of handlers whose tasks take turns, those with a key lie in lanes of their own (see pick_turns), where positions don't matter.
-- Who is not patient has locked something before: it waits for no task and no state, for the runs that begin alone, and leaves what it would have to wait for,
-- keys that are new, and those who take turns to the next claim.
-- Position and order are written as those of (priority, id), though the priority is one: so no plan can walk the backlog of all by id.
create or replace function millrace.claim_tasks(
  worker_id uuid, lock_key int, room int, lane_handlers int[], lane_priorities smallint[], lane_positions bigint[], patient boolean default true)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  left_over int := claim_tasks.room;
  -- Those that are paused, those whose rule is full (see laned_handlers), and those that take turns where nobody is waited for.
  shut_lanes int[] := millrace.paused_handlers();
  judged_lanes int[];
  limited_lanes int[];
  laned_lanes int[] := array[]::int[];
  turn_lanes int[] := array[]::int[];
  waits boolean := claim_tasks.patient;
  level smallint;
  kind text;
  kinds text[] := array['plain'];
  begun uuid[] := array[]::uuid[];
  claimed int;
  fitted boolean;
  recent boolean;
  state text;
begin
  if left_over <= 0 or not enter_worker(claim_tasks.worker_id, claim_tasks.lock_key) then
    return;
  end if;
  judged_lanes := limited_handlers(lane_handlers);
  if judged_lanes <> '{}' and waits then
    select p.turn_lanes, p.other_lanes, p.patient into turn_lanes, limited_lanes, waits from prepare_turns(judged_lanes, at) p;
  elsif judged_lanes <> '{}' then
    select coalesce(array_agg(j.handler) filter (where f.handler is null), '{}'), shut_lanes || coalesce(array_agg(f.handler) filter (where f.handler is not null), '{}')
      into limited_lanes, shut_lanes
      from unnest(judged_lanes) j(handler) left join turn_handler f on f.handler = j.handler;
  end if;
  if limited_lanes <> '{}' then
    select l.laned, shut_lanes || l.full_lanes, l.is_recent into laned_lanes, shut_lanes, recent from laned_handlers(limited_lanes, at) l;
    limited_lanes := array(select l.handler from unnest(limited_lanes) l(handler) where l.handler <> all (laned_lanes));
  end if;
  for level in
    select distinct lane.priority
      from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
     cross join lateral (
       select from task t
        where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
          and t.worker_id is null and t.turn_key is null
        order by t.priority, t.id limit 1) first
     where lane.handler <> all (shut_lanes)
       and not exists (select from worker w where w.id = claim_tasks.worker_id and (w.ordered_state is not null or w.state = 'draining'))
     union
    select lane.priority
      from unnest(turn_lanes) h(id) cross join generate_series(1, 9) level(n) cross join lateral (select level.n::smallint as priority) lane
     cross join lateral (
       select from task t where t.handler = h.id and t.priority = lane.priority and t.turn_key >= '' and t.worker_id is null order by t.turn_key limit 1) first
     where h.id <> all (shut_lanes)
       and not exists (select from worker w where w.id = claim_tasks.worker_id and (w.ordered_state is not null or w.state = 'draining'))
     order by 1
  loop
    fitted := false;
    if judged_lanes <> '{}' then
      kinds := order_lanes(lane_handlers, lane_priorities, lane_positions, level, laned_lanes, limited_lanes, turn_lanes, shut_lanes);
      -- Who comes after another kind makes no states of new keys: so what fills up again with every end goes first ten times a second, not each time.
      if recent and kinds && array['limited', 'turning'] then
        kinds := array_remove(kinds, 'laned') || case when 'laned' = any (kinds) then array['laned'] else '{}' end;
      end if;
    end if;
    foreach kind in array kinds loop
      continue when (kind = 'fitting' and not waits) or (kind = 'limited' and fitted);
      claimed := 0;
      if kind <> 'plain' then
        for task_id, run_id, step_id, item, item_value, attempt, priority, handler, failures,
            input, tenant, key, headers, run_created_at, state in
          select f.* from claim_fitting(claim_tasks.worker_id, limited_lanes, shut_lanes, lane_handlers, lane_priorities, lane_positions, level, left_over, at) f
           where kind = 'fitting'
           union all
          select i.* from claim_in_lanes(claim_tasks.worker_id, laned_lanes, shut_lanes, lane_handlers, lane_priorities, lane_positions, level, left_over, waits, at) i
           where kind = 'laned'
           union all
          select c.* from claim_limited(claim_tasks.worker_id, case when kind = 'limited' then limited_lanes else '{}' end, case when kind = 'turning' then turn_lanes else '{}' end,
                                        shut_lanes, lane_handlers, lane_priorities, lane_positions, level, left_over, waits, at) c
           where kind in ('limited', 'turning')
        loop
          claimed := claimed + 1;
          if state = 'pending' then
            begun := begun || run_id;
          end if;
          return next;
        end loop;
        fitted := kind = 'fitting' and claimed > 0;
        waits := kind = 'fitting' and not fitted;
      else
        for task_id, run_id, step_id, item, item_value, attempt, priority, handler, failures,
            input, tenant, key, headers, run_created_at, state in
          with picked as (
            select c.id from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
             cross join lateral (
               select t.id from task t
                where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                  and t.worker_id is null and t.turn_key is null
                order by t.priority, t.id limit left_over for no key update skip locked) c
             where lane.priority = level and lane.handler <> all (shut_lanes) and lane.handler <> all (judged_lanes)
             order by c.id limit left_over
          ), taken as (
            update task t set worker_id = claim_tasks.worker_id, claimed_at = greatest(at, t.ready_at), attempt = t.attempt + 1
              from picked where t.id = any (array[picked.id])
            returning t.*
          )
          select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
                 r.input, r.tenant, r.key, r.headers, r.created_at, r.state
            from taken t join run r on r.id = t.run_id
        loop
          claimed := claimed + 1;
          if state = 'pending' then
            begun := begun || run_id;
          end if;
          return next;
        end loop;
      end if;
      left_over := left_over - claimed;
      exit when left_over <= 0;
    end loop;
    exit when left_over <= 0;
  end loop;
  if begun <> '{}' then
    perform begin_runs(begun, at);
  end if;
end $$;
comment on function millrace.claim_tasks(uuid, int, int, int[], smallint[], bigint[], boolean) is 'Claims up to room tasks for a worker, with what their steps need to run.';
