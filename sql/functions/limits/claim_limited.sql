-- Claims tasks of handlers that are under rules, at one priority: the part of claim_tasks that nobody pays for who has no rules. What may not
-- begin leaves the lane, so that it is judged once and not again by every claim; about a thousand tasks are looked at in one claim.
--
-- Who has no turns comes here where it is likely that not all of them have room (see claim_fitting). All are counted first and looked at afterwards, one
-- write a state, and only what goes over is judged one by one (see take_limits).
--
-- Who was called, or has come to the time that a rate gave it, lies behind all that became ready meanwhile, and its slot or time would go to others. So a worker that
-- looks at its lanes from their beginning (at position -1, see order_lanes) gets those first: it takes no position from such a look.
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
  -- Whether those who were called are picked first, and how many others are besides.
  calls boolean := turn_lanes = '{}' and coalesce(lane_positions[1] < 0, false);
  others int;
  rounds int := 0;
  lane int;
  lanes_left int;
  picked_ids bigint[] := array[]::bigint[];
  -- The states that the tasks ask for, each once, how many of them do, what they take up of a rate, in milliseconds, and whether all were called: null ids where there is no
  -- state yet, 0 where nothing is to be judged. Then a row for each task and each rule that holds for it, in the order of the tasks and of judging, with
  -- the place of its state, and its own cost.
  state_ids bigint[];
  state_counts int[];
  state_costs float8[];
  state_called boolean[];
  new_rules int[];
  new_keys text[];
  new_places int[];
  new_states bigint[];
  counted_ids bigint[];
  counts int[];
  costs float8[];
  called boolean[];
  awaited_ids bigint[];
  unclaimed int;
  row_tasks bigint[];
  row_places int[];
  row_costs float8[];
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
    if calls then
      picked_ids := array(
        select c.id from unnest(limited_lanes) h(id)
         cross join lateral (
           select t.id from task t
            where t.handler = h.id and (t.priority, t.id) > (level, 0::bigint) and t.priority <= level
              and t.worker_id is null and t.holds is not null and t.turn_key is null
            order by t.priority, t.id limit look for no key update skip locked) c
         where h.id <> all (paused_lanes) order by c.id limit look);
      calls := picked_ids <> '{}';
    end if;
    others := greatest(look - cardinality(picked_ids), 0);
    if turns and not judged then
      -- Turns alone stop nobody.
      found_count := cardinality(picked_ids);
      row_tasks := picked_ids;
      row_places := array_fill(1, array[found_count]);
      row_costs := array_fill(null::float8, array[found_count]);
      state_ids := array[0::bigint];
      plain := true;
    else
      -- Rules are read once, and each state once, whatever the planner thinks of how many there are. By both columns of their key, one by one: as a join,
      -- it might read all the keys of a rule. A breaker that is closed is as good as none: no state of it is made, counted or locked.
      --
      -- Tasks are locked by one scan, others by a statement before: two of them under a union, beside a table with partitions, crash PostgreSQL 18.4 where a row has changed meanwhile.
      with rule as materialized (
        select l.step_id, k.id, k.kind, k.key_paths, k.input_path, k.units_path, k.burst,
               case k.kind when 'breaker' then 1 when 'rate' then 3 else 2 end as turn, case when k.kind = 'rate' then k.unit_ms end as unit_ms,
               k.strategy is distinct from 'cancel_oldest' and k.fifo is null as is_plain
          from limited_step l join limit_rule k on k.id = l.rule_id and k.kind <> 'fairness' where l.handler = any (limited_lanes || turn_lanes)
      ), candidate as materialized (
        select t.id, t.step_id, t.item_value, t.holds, u.input, u.tenant, row_number() over (order by t.place) as n
          from ((select c.*, c.id as place from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
                 cross join lateral (
                   select t.id, t.run_id, t.step_id, t.item_value, t.holds from task t
                    where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                      and t.worker_id is null and t.turn_key is null and (t.holds is null or not calls)
                    order by t.priority, t.id limit others for no key update skip locked) c
                 where not turns and lane.priority = level and lane.handler = any (limited_lanes) and lane.handler <> all (paused_lanes)
                 order by c.id limit others)
                union all
                select p.id, t.run_id, t.step_id, t.item_value, t.holds, p.place - 9223372036854775807
                  from unnest(picked_ids) with ordinality p(id, place) join task t on t.id = any (array[p.id])) t
          left join run u on u.id = case when keyed then t.run_id end
      ), asked as materialized (
        select c.n, c.id as task_id, k.id as rule_id, k.turn, k.unit_ms, a.key, a.cost, coalesce(k.is_plain, true) and coalesce(c.holds = '{}', true) as is_plain,
               c.holds is not null as called,
               dense_rank() over (order by k.id, a.key) as place
          from candidate c left join rule k on k.step_id = c.step_id
         cross join lateral (
           select limit_key(k.key_paths, k.input_path, c.input, c.item_value, c.tenant) as key,
                  k.unit_ms * case when k.units_path is null then 1 else limit_units(k.units_path, k.burst, c.input, c.item_value, c.tenant) end as cost
           offset 0) a
      ), state as materialized (
        select g.*, case when g.rule_id is null then 0
                         when g.turn = 1 then coalesce((select s.id from limit_state s where s.rule_id = g.rule_id and s.key = g.key and (s.open_until is not null or s.held_until > at)), 0)
                         else (select s.id from limit_state s where s.rule_id = g.rule_id and s.key = g.key) end as id
          from (select a.place, min(a.rule_id) as rule_id, min(a.turn) as turn, min(a.key) as key, count(*)::int as count, sum(a.cost) as cost, bool_and(a.is_plain) as is_plain, bool_and(a.called) as called
                  from asked a group by a.place) g
      ), told as (
        select array_agg(s.id order by s.place) as ids, array_agg(s.count order by s.place) as counts, array_agg(s.cost order by s.place) as costs, array_agg(s.called order by s.place) as called,
               array_agg(s.rule_id order by s.place) filter (where s.id is null) as new_rules, array_agg(s.key order by s.place) filter (where s.id is null) as new_keys,
               bool_and((s.turn > 1 or s.id = 0) and s.is_plain) as is_plain
          from state s
      )
      select t.ids, t.counts, t.costs, t.called, t.new_rules, t.new_keys, t.is_plain, r.tasks, r.places, r.costs, r.found
        into state_ids, state_counts, state_costs, state_called, new_rules, new_keys, plain, row_tasks, row_places, row_costs, found_count
        from told t
       cross join (select array_agg(q.task_id) as tasks, array_agg(q.place) as places, array_agg(q.cost) as costs, max(q.n) as found
                     from (select a.task_id, a.place::int, a.cost, a.n from asked a order by a.n, a.turn, a.unit_ms desc nulls last, a.rule_id) q) r;
    end if;
    exit when found_count is null;
    looked := looked + found_count;
    if new_rules is not null then
      new_places := array_positions(state_ids, null);
      new_states := find_limit_states(new_rules, new_keys, patient, at, array_remove(state_ids, null));
      for i in 1 .. cardinality(new_places) loop
        state_ids[new_places[i]] := new_states[i];
      end loop;
    end if;

    if plain and found_count <= left_over and patient then
      select array_agg(g.id), array_agg(g.count), array_agg(g.cost), array_agg(g.called) into counted_ids, counts, costs, called
        from (select * from unnest(state_ids, state_counts, state_costs, state_called) u(id, count, cost, called) where u.id > 0 order by u.id) g;
    end if;
    if plain and found_count <= left_over and (0 = all (state_ids) or (patient and count_limits(counted_ids, counts, costs, at, called))) then
      taken_at := millrace.now();
      return query
        with admitted as (
          select u.task_id, array_agg(state_ids[u.place]) filter (where u.cost is null and state_ids[u.place] > 0) as holds
            from unnest(row_tasks, row_places, row_costs) u(task_id, place, cost) group by u.task_id order by u.task_id
        ), taken as (
          update task t set worker_id = claim_limited.worker_id, claimed_at = greatest(taken_at, t.ready_at), attempt = t.attempt + 1, holds = a.holds
            from admitted a where t.id = any (array[a.task_id])
          returning t.*
        )
        select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures,
               r.input, r.tenant, r.key, r.headers, r.created_at, r.state
          from taken t join run r on r.id = t.run_id;
      get diagnostics claimed = row_count;
      -- Slots that nobody was called for, such as that of who was called and then cancelled. Who was called and is not claimed yet may be about to take some.
      if true = any (called) then
        awaited_ids := array(select s.id from limit_state s where s.id = any (counted_ids) and s.waiting order by s.id);
        if awaited_ids <> '{}' then
          select count(*) into unclaimed
            from (select from task t where t.handler = any (limited_lanes || turn_lanes) and t.handler <> all (paused_lanes) and t.worker_id is null and t.holds is not null limit 1000) c;
          perform call_waiters(awaited_ids, at, null, unclaimed);
        end if;
      end if;
    else
      select array_agg(l.task_id), array_agg(l.holds) into admitted_tasks, admitted_holds
        from take_limits(row_tasks, array(select state_ids[r.place] from unnest(row_places) with ordinality r(place, n) order by r.n), row_costs, left_over, patient, at) l;
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
      get diagnostics claimed = row_count;
    end if;
    left_over := left_over - claimed;
    -- States are locked by now: who would wait for more of them could wait in a circle.
    patient := false;
    exit when found_count < look and not turns;
    look := least(look * 2, 1000);
  end loop;
end $$;
comment on function millrace.claim_limited(uuid, int[], int[], int[], int[], smallint[], bigint[], smallint, int, boolean, timestamptz)
  is 'Claims tasks of handlers that are under rules, at one priority.';
