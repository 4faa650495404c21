-- Claims tasks of handlers that are under rules, at one priority: the part of claim_tasks that nobody pays for who has no rules. What may not
-- begin leaves the lane, so that it is judged once and not again by every claim; about a thousand tasks are looked at in one claim.
--
-- Most often there is room for all: then they are counted first and looked at afterwards, one write a state, and only what goes over is
-- judged one by one (see take_limits).
--
-- Where tasks take turns, these are picked turn by turn between their keys, and of several such handlers first of the one that was looked at
-- longest ago; all else is the same.
create or replace function millrace.claim_limited(
  worker_id uuid, limited_lanes int[], turn_lanes int[], paused_lanes int[], lane_handlers int[], lane_priorities smallint[], lane_positions bigint[], level smallint,
  room int, patient boolean, at timestamptz)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz, state text)
language plpgsql
as $$
#variable_conflict use_column
declare
  left_over int := room;
  look int := room;
  looked int := 0;
  turns boolean := turn_lanes <> '{}';
  rounds int := 0;
  lane int;
  lanes_left int;
  picked_ids bigint[];
  -- A row for each task and each rule that holds for it, in the order of the tasks and of judging, with the state of its key: 0 where
  -- nothing is to be judged, null where there is none yet. The cost is that of a rate, in milliseconds.
  row_tasks bigint[];
  row_states bigint[];
  row_costs float8[];
  new_rules int[];
  new_keys text[];
  new_places int[];
  new_states bigint[];
  keyed boolean;
  judged boolean;
  plain boolean;
  found_count int;
  admitted_tasks bigint[];
  admitted_holds text[];
  -- Read once the states are locked: whoever gave a slot back has ended before its next holder begins.
  taken_at timestamptz;
  claimed int;
begin
  -- The run is read for its key only where some rule has one.
  select bool_or(k.key_paths <> '[]' or k.units_path is not null), count(*) > 0 into keyed, judged
    from limited_step l join limit_rule k on k.id = l.rule_id and k.kind <> 'fairness' where l.handler = any (limited_lanes || turn_lanes);
  while left_over > 0 and looked < greatest(1000, room) loop
    if turns then
      picked_ids := '{}';
      for lane, lanes_left in
        select f.handler, row_number() over (order by f.moved_at desc, f.handler desc)
          from (select h.id as handler, coalesce((select max(c.moved_at) from turn_cursor c where c.handler = h.id and c.priority = level), '-infinity') as moved_at
                  from unnest(turn_lanes) h(id)
                 cross join lateral (
                   select from task t
                    where t.handler = h.id and t.priority = level and t.turn_key >= '' and t.worker_id is null order by t.turn_key limit 1) first
                 where h.id <> all (paused_lanes)) f
         order by 2 desc
      loop
        picked_ids := picked_ids || pick_turns(lane, level, ceil((case when judged then look else left_over end - cardinality(picked_ids))::float8 / lanes_left)::int, at);
        exit when cardinality(picked_ids) >= case when judged then look else left_over end;
      end loop;
      -- What stays where it is for the time being would be picked again and again.
      rounds := rounds + 1;
      turns := picked_ids <> '{}' and rounds <= 20;
    end if;
    exit when not turns and limited_lanes = '{}';
    if turns and not judged then
      -- Turns alone stop nobody.
      found_count := cardinality(picked_ids);
      row_tasks := picked_ids;
      row_states := array_fill(0::bigint, array[found_count]);
      row_costs := array_fill(null::float8, array[found_count]);
      plain := true;
    else
      with candidate as materialized (
        select t.id, t.step_id, t.item_value, t.holds, u.input, u.tenant, row_number() over (order by t.place) as n
          from ((select c.*, c.id as place from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
                 cross join lateral (
                   select t.id, t.run_id, t.step_id, t.item_value, t.holds from task t
                    where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                      and t.worker_id is null and t.turn_key is null
                    order by t.priority, t.id limit look for no key update skip locked) c
                 where not turns and lane.priority = level and lane.handler = any (limited_lanes) and lane.handler <> all (paused_lanes)
                 order by c.id limit look)
                union all
                select p.id, t.run_id, t.step_id, t.item_value, t.holds, p.place
                  from unnest(picked_ids) with ordinality p(id, place) join task t on t.id = any (array[p.id]) where turns) t
          left join run u on u.id = case when keyed then t.run_id end
      ), told as (
        -- A breaker that is closed is as good as none: no state of it is made, counted or locked. States are looked up by both columns of their key, one
        -- by one: as a join, the planner might read all the keys of a rule. That of a rule without a key is looked up once for all tasks.
        select c.n, c.id as task_id, c.holds, k.id as rule_id, k.strategy, k.fifo, a.key, a.cost, a.turn,
               case when k.id is null then 0
                    when a.turn = 1 then coalesce((select s.id from limit_state s where s.rule_id = k.id and s.key = a.key and (s.open_until is not null or s.held_until > at)), 0)
                    when k.key_paths = '[]' then k.only_state
                    else (select s.id from limit_state s where s.rule_id = k.id and s.key = a.key) end as state_id
          from candidate c
          left join (select l.step_id, k.*, case when k.key_paths = '[]' then (select s.id from limit_state s where s.rule_id = k.id and s.key = '') end as only_state
                       from limited_step l join limit_rule k on k.id = any (array[l.rule_id]) and k.kind <> 'fairness'
                      where l.handler = any (limited_lanes || turn_lanes)) k on k.step_id = c.step_id
         cross join lateral (
           select limit_key(k.key_paths, k.input_path, c.input, c.item_value, c.tenant) as key,
                  case when k.kind = 'rate' then k.unit_ms * case when k.units_path is null then 1 else limit_units(k.units_path, k.burst, c.input, c.item_value, c.tenant) end end as cost,
                  case k.kind when 'breaker' then 1 when 'rate' then 3 else 2 end as turn
           offset 0) a
         order by c.n, a.turn, k.id
      )
      select array_agg(q.task_id), array_agg(q.state_id), array_agg(q.cost), max(q.n),
             array_agg(q.rule_id) filter (where q.state_id is null), array_agg(q.key) filter (where q.state_id is null),
             bool_and((q.turn > 1 or q.state_id = 0) and q.strategy is distinct from 'cancel_oldest' and q.fifo is null and coalesce(q.holds = '{}', true))
        into row_tasks, row_states, row_costs, found_count, new_rules, new_keys, plain
        from told q;
    end if;
    exit when found_count is null;
    looked := looked + found_count;
    if new_rules is not null then
      new_places := array_positions(row_states, null);
      new_states := find_limit_states(new_rules, new_keys, patient, at);
      for i in 1 .. cardinality(new_places) loop
        row_states[new_places[i]] := new_states[i];
      end loop;
    end if;

    if plain and found_count <= left_over and (0 = all (row_states) or (patient and count_limits(row_states, row_costs, at))) then
      taken_at := millrace.now();
      return query
        with admitted as (
          select u.task_id, array_agg(u.state) filter (where u.state > 0 and u.cost is null) as holds
            from unnest(row_tasks, row_states, row_costs) u(task_id, state, cost) group by u.task_id order by u.task_id
        ), taken as (
          update task t set worker_id = claim_limited.worker_id, claimed_at = greatest(taken_at, t.ready_at), attempt = t.attempt + 1, holds = a.holds
            from admitted a where t.id = any (array[a.task_id])
          returning t.*
        )
        select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
               r.input, r.tenant, r.key, r.headers, r.created_at, r.state
          from taken t join run r on r.id = t.run_id;
    else
      select array_agg(l.task_id), array_agg(l.holds) into admitted_tasks, admitted_holds
        from take_limits(row_tasks, row_states, row_costs, left_over, patient, at) l;
      taken_at := millrace.now();
      return query
        with taken as (
          update task t set worker_id = claim_limited.worker_id, claimed_at = greatest(taken_at, t.ready_at), attempt = t.attempt + 1, holds = a.holds::bigint[]
            from unnest(admitted_tasks, admitted_holds) a(task_id, holds) where t.id = any (array[a.task_id])
          returning t.*
        )
        select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
               r.input, r.tenant, r.key, r.headers, r.created_at, r.state
          from taken t join run r on r.id = t.run_id;
    end if;
    get diagnostics claimed = row_count;
    left_over := left_over - claimed;
    -- States are locked by now: who would wait for more of them could wait in a circle.
    patient := false;
    exit when found_count < look and not turns;
    look := least(look * 2, 1000);
  end loop;
end $$;
comment on function millrace.claim_limited(uuid, int[], int[], int[], int[], smallint[], bigint[], smallint, int, boolean, timestamptz)
  is 'Claims tasks of handlers that are under rules, at one priority.';
