-- Claims tasks of handlers all of whose steps are under one rule without keys (see place_limits), at one priority: as many as the rule has room for. What has no room is
-- looked at no further and stays where it is, so that a million tasks behind a full rule cost nobody anything. Who was called from where it waited elsewhere, before the
-- rule was placed, comes first.
--
-- The states are locked first, in the order of their ids, and tasks that somebody else has locked are left out: so nobody is waited for in a circle. They stay locked
-- until the claim has committed, for the reason that release_limits gives. Ends that lie in seats are taken off (see count_ends): the second statement sees all that were
-- there when it had the locks, and one that comes later counts as still held.
--
-- What other workers serve and this one doesn't is not passed, where it comes before and a worker of it has free slots and sleeps: it has two seconds to take a place
-- that has come free. Holding back is no change that would begin them anew.
--
-- Positions are left aside: what was given back, or is aged, lies before them, and a look for it while the rule is full would find it too early.
--
-- A state remembers when somebody was left for want of room. Who gives slots back wakes workers then; where an end has not seen it, the next heartbeat looks. What
-- was ready while it was full, until the last end, has waited for the limit, and its account says so.
create or replace function millrace.claim_in_lanes(
  worker_id uuid, laned_lanes int[], paused_lanes int[], lane_handlers int[], lane_priorities smallint[], lane_positions bigint[], level smallint,
  room int, patient boolean, at timestamptz)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz, state text)
language plpgsql
as $$
#variable_conflict use_column
declare
  rule_ids int[] := array(
    select distinct l.rule_id
      from unnest(lane_handlers, lane_priorities, lane_positions) u(handler, priority, after)
     cross join lateral (
       select from task t
        where t.handler = u.handler and (t.priority, t.id) > (u.priority, u.after) and t.priority <= u.priority
          and t.worker_id is null and t.turn_key is null
        order by t.priority, t.id limit 1) first
     cross join lateral (select l.rule_id from limited_step l where l.handler = u.handler limit 1) l
     where u.priority = level and u.handler = any (laned_lanes) and u.handler <> all (paused_lanes) order by 1);
  state_ids bigint[] := array_remove(find_limit_states(rule_ids, array_fill(''::text, array[cardinality(rule_ids)]), patient, at), null);
  elsewhere int[] := array(
    select distinct h.id from worker w cross join unnest(w.handlers) h(id)
     where w.kind = 'worker' and w.sleeping and w.state in ('starting', 'idle', 'running') and w.ordered_state is null and w.lease_expires_at > at
       and h.id <> all (lane_handlers || paused_lanes) and h.id in (select l.handler from limited_step l where l.rule_id = any (rule_ids)));
  picked_ids bigint[];
  picked_states bigint[];
  picked_untils timestamptz[];
  picked_names text[];
  taken_at timestamptz;
begin
  if patient then
    state_ids := array(
      select s.id from unnest(array(select u.id from unnest(state_ids) u(id) order by 1)) g(id)
       cross join lateral (select l.id from limit_state l where l.id = g.id for no key update) s);
  else
    state_ids := array(
      select s.id from unnest(state_ids) g(id) cross join lateral (select l.id from limit_state l where l.id = g.id for no key update skip locked) s);
  end if;
  -- Beside what it locks, this reads no table with partitions (see claim_limited).
  with rule as materialized (
    -- The clock is read within the statement that counts: whoever gave a slot back has ended before its next holder begins.
    select millrace.now() as taken_at, s.id as state_id, k.id, k.name, s.waiting, s.changed_at, left_until(s) as left_until, s.used - limit_used(s) as ended,
           case when s.waiting or s.held_until > at then 0 else greatest(k.capacity - limit_used(s), 0) end as free
      from unnest(state_ids) g(id) join limit_state s on s.id = g.id join limit_rule k on k.id = s.rule_id
  ), lane as materialized (
    select r.state_id, r.free, r.taken_at, u.handler, u.priority
      from unnest(lane_handlers, lane_priorities) u(handler, priority)
     cross join lateral (select l.rule_id from limited_step l where l.handler = u.handler limit 1) l
      join rule r on r.id = l.rule_id
     where u.priority = level and u.handler = any (laned_lanes) and u.handler <> all (paused_lanes)
  ), other as materialized (
    select t.id, t.priority, r.state_id
      from unnest(elsewhere) h(id)
     cross join lateral (select l.rule_id from limited_step l where l.handler = h.id limit 1) l
      join rule r on r.id = l.rule_id and r.free > 0 and greatest(r.left_until, r.changed_at) > at - interval '2 seconds'
     cross join generate_series(1, level) p(priority)
     cross join lateral (
       select t.id, t.priority from task t
        where t.handler = h.id and t.priority = p.priority::smallint and t.worker_id is null and t.turn_key is null
        order by t.id limit r.free) t
  ), found as materialized (
    select f.*, row_number() over (partition by f.state_id order by f.place)
                + case when elsewhere = '{}' then 0 else (select count(*) from other o where o.state_id = f.state_id and (o.priority < level or o.id < f.id)) end as rank
      from (select c.id, l.state_id, l.free, l.taken_at, c.place
              from lane l
             cross join lateral (
               select w.id, w.id - 9223372036854775807 as place
                 from (select t.id from task t
                        where t.handler = l.handler and (t.priority, t.id) > (l.priority, 0::bigint) and t.priority <= l.priority
                          and t.worker_id is null and t.holds is not null and t.turn_key is null
                        order by t.priority, t.id limit least(room, l.free) + 1 for no key update skip locked) w
                union all
               select n.id, n.id
                 from (select t.id from task t
                        where t.handler = l.handler and (t.priority, t.id) > (l.priority, 0::bigint) and t.priority <= l.priority
                          and t.worker_id is null and t.holds is null and t.turn_key is null
                        order by t.priority, t.id limit least(room, l.free) + 1 for no key update skip locked) n) c) f
  ), picked as materialized (
    select f.id, f.state_id, f.taken_at from found f where f.rank <= f.free order by f.place limit room
  ), counted as (
    update limit_state s
       set used = s.used - r.ended + n.taken, folded = case when s.folded is not null then s.folded + r.ended end,
           left_at = case when n.is_left and not r.waiting then case when n.taken > 0 or r.free = 0 then at else coalesce(s.left_at, at) end end, changed_at = case when n.taken > 0 then at else s.changed_at end
      from (select f.state_id, count(p.id)::int as taken, bool_or(f.rank > f.free) as is_left
              from found f left join picked p on p.id = f.id group by f.state_id) n
      join rule r on r.state_id = n.state_id
     where s.id = any (array[n.state_id])
  )
  select array_agg(p.id order by p.id), array_agg(p.state_id order by p.id), max(p.taken_at), array_agg(r.left_until order by p.id), array_agg(r.name order by p.id)
    into picked_ids, picked_states, taken_at, picked_untils, picked_names
    from picked p join rule r on r.state_id = p.state_id;
  if picked_ids is null then
    return;
  end if;
  return query
    with picked as (
      select * from unnest(picked_ids, picked_states, picked_untils, picked_names) p(id, state_id, left_until, name)
    ), taken as (
      update task t
         set worker_id = claim_in_lanes.worker_id, claimed_at = greatest(taken_at, t.ready_at), attempt = t.attempt + 1, holds = array[p.state_id]
        from picked p where t.id = any (array[p.id])
      returning t.*, p.left_until, p.name
    ), told as (
      insert into event (run_id, at, actor, kind, step, item, attempt, detail)
      select t.run_id, t.ready_at, 'limit', 'limit.waited', d.step, t.item, t.attempt, jsonb_build_object('limit', t.name, 'key', '')
        from taken t join step_definition d on d.id = t.step_id
       where t.ready_at <= t.left_until
    )
    select t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures, u.input, u.tenant, u.key, u.headers, u.created_at, u.state
      from taken t join run u on u.id = t.run_id;
end $$;
comment on function millrace.claim_in_lanes(uuid, int[], int[], int[], smallint[], bigint[], smallint, int, boolean, timestamptz)
  is 'Claims tasks of handlers all of whose steps are under one rule without keys, as many as it has room for.';
