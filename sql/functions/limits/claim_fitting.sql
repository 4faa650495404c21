-- Claims tasks of handlers that are under rules, at one priority, where there is room for all of them: picked, counted and taken in one statement, with one
-- write a state. Otherwise nothing is claimed and nothing stays locked, and claim_limited judges them one by one: where a rule is full or somebody waits
-- for it, a breaker is open, quiet was asked for, the oldest is cancelled, or a task was called with a time that a rate gave it.
--
-- States are counted in the order of their ids, as everywhere, and made where there are none (see limit_state_id): one whose id another one has is not
-- counted, and so nothing is. They stay locked until the claim has committed, for the reason that release_limits gives.
-- Ends that lie in seats are taken off meanwhile (see count_ends). The snapshot may be older than the lock, and so miss some: then more are counted
-- than there are, never fewer.
create or replace function millrace.claim_fitting(
  worker_id uuid, limited_lanes int[], paused_lanes int[], lane_handlers int[], lane_priorities smallint[], lane_positions bigint[], level smallint,
  room int, at timestamptz)
returns table (task_id bigint, run_id uuid, step_id int, item int, item_value jsonb, attempt int, priority smallint, handler int,
               failures int, input jsonb, tenant text, key text, headers jsonb, run_created_at timestamptz, state text)
language plpgsql
as $$
#variable_conflict use_column
begin
  -- Where somebody waits for one of the rules, it is likely that not all have room: that is seen without picking anything, in a hundred states at most.
  if exists (select from limited_step l join limit_rule k on k.id = l.rule_id
              where l.handler = any (limited_lanes)
                and (k.strategy = 'cancel_oldest' or k.fifo is not null
                  or k.id in (select w.rule_id from (select s.rule_id from limit_state s where s.waiting order by s.id limit 100) w))) then
    return;
  end if;
  return query
    with candidate as materialized (
      select t.*, u.input, u.tenant, u.key, u.headers, u.created_at, u.state
        from (select c.* from unnest(lane_handlers, lane_priorities, lane_positions) lane(handler, priority, after)
               cross join lateral (
                 select t.id, t.run_id, t.step_id, t.item_value, t.holds from task t
                  where t.handler = lane.handler and (t.priority, t.id) > (lane.priority, lane.after) and t.priority <= lane.priority
                    and t.worker_id is null and t.turn_key is null
                  order by t.priority, t.id limit room for no key update skip locked) c
               where lane.priority = level and lane.handler = any (limited_lanes) and lane.handler <> all (paused_lanes)
               order by c.id limit room) t
        join run u on u.id = t.run_id
    ), rule as materialized (
      select l.step_id, k.id, k.kind, k.key_paths, k.input_path, k.units_path, k.unit_ms, k.burst,
             case when k.key_paths = '[]' then limit_state_id(k.id, '') end as only_state, k.input_path = '{$tenant}' as by_tenant
        from limited_step l join limit_rule k on k.id = l.rule_id and k.kind <> 'fairness'
       where l.step_id = any (array(select distinct c.step_id from candidate c))
    ), asked as materialized (
      -- What has no key is counted step by step.
      select g.id, g.rule_id, g.key, sum(g.count)::int as count, sum(g.cost) as cost
        from (select k.only_state as id, k.id as rule_id, '' collate "C" as key, n.count, case when k.kind = 'rate' then k.unit_ms * n.count end as cost
                from (select c.step_id, count(*)::int as count from candidate c group by 1) n join rule k on k.step_id = n.step_id
               where k.kind <> 'breaker' and k.only_state is not null and k.units_path is null
              union all
              select limit_state_id(k.id, a.key), k.id, a.key, 1,
                     case when k.kind = 'rate' then k.unit_ms * case when k.units_path is null then 1 else limit_units(k.units_path, k.burst, c.input, c.item_value, c.tenant) end end
                from candidate c join rule k on k.step_id = c.step_id
               cross join lateral (select case when k.by_tenant then coalesce(c.tenant, 'null') else c.input #>> k.input_path end as text offset 0) p
               cross join lateral (
                 select case when length(p.text) <= 200 then p.text else limit_key(k.key_paths, k.input_path, c.input, c.item_value, c.tenant) end collate "C" as key offset 0) a
               where k.kind <> 'breaker' and (k.only_state is null or k.units_path is not null)) g
       group by g.id, g.rule_id, g.key
    ), counted as (
      insert into limit_state as s (id, rule_id, key, used, full_until, changed_at)
      select a.id, a.rule_id, a.key, case when a.cost is null then a.count else 0 end, at + make_interval(secs => a.cost / 1000), at from asked a order by a.id
          on conflict (id) do update
         set changed_at = at,
             used = s.used + excluded.used - case when s.folded is null then 0 else greatest(ended_of(s.id) - s.folded, 0)::int end,
             folded = case when s.folded is not null then greatest(s.folded, ended_of(s.id)) end,
             full_until = least(greatest(s.full_until, s.held_until, at), at + interval '100 years') + (excluded.full_until - at)
       where s.rule_id = excluded.rule_id and s.key = excluded.key
      returning s.id, s.rule_id, s.used, s.waiting, s.full_until, s.held_until
    ), fullest as (
      select c.rule_id, max(c.used) as used, bool_or(c.waiting) as waiting, max(c.full_until) as full_until, max(c.held_until) as held_until, count(*) as count
        from counted c group by c.rule_id
    ), fitting as (
      -- Read once the states are locked: whoever gave a slot back has ended before its next holder begins.
      select millrace.now() as taken_at
        from (select sum(f.count) as count,
                     bool_and(case k.kind when 'concurrency' then f.used <= k.capacity else f.full_until <= at + make_interval(secs => k.burst * k.unit_ms / 1000) end
                              and not f.waiting and (f.held_until > at) is not true) as fits
                from fullest f cross join lateral (select * from limit_rule k where k.id = f.rule_id limit 1) k) g
       where g.fits is not false and coalesce(g.count, 0) = (select count(*) from asked)
         and not exists (select from candidate c where c.holds <> '{}')
         -- A breaker that is closed is as good as none.
         and not (exists (select from rule k where k.kind = 'breaker') and exists (
           select from candidate c join rule k on k.step_id = c.step_id and k.kind = 'breaker'
             join limit_state s on s.rule_id = k.id and s.key = limit_key(k.key_paths, k.input_path, c.input, c.item_value, c.tenant)
            where s.open_until is not null or s.held_until > at))
    ), taken as (
      update task t
         set worker_id = claim_fitting.worker_id, claimed_at = greatest((select f.taken_at from fitting f), t.ready_at), attempt = t.attempt + 1,
             holds = nullif(array(
               select coalesce(k.only_state, limit_state_id(k.id, case when length(p.text) <= 200 then p.text else limit_key(k.key_paths, k.input_path, c.input, c.item_value, c.tenant) end))
                 from rule k
                cross join lateral (select case when k.only_state is not null then '' when k.by_tenant then coalesce(c.tenant, 'null') else c.input #>> k.input_path end as text offset 0) p
                where k.step_id = c.step_id and k.kind = 'concurrency'), '{}')
        from candidate c where t.id = any (array[c.id]) and exists (select from fitting)
      returning t.id, t.run_id, t.step_id, t.item, t.item_value, t.attempt, t.priority, t.handler, t.failures, c.input, c.tenant, c.key, c.headers, c.created_at, c.state
    )
    select * from taken;
  if not found then
    raise exception 'There is no room for all of them.' using errcode = 'no_data_found';
  end if;
-- Somebody may be making the same state at the same moment, and two of them may have the same id.
exception when no_data_found or unique_violation or cardinality_violation then
  return;
end $$;
comment on function millrace.claim_fitting(uuid, int[], int[], int[], smallint[], bigint[], smallint, int, timestamptz)
  is 'Claims tasks of handlers that are under rules, where there is room for all of them.';
