-- Makes tasks more urgent that have been ready for long, where their pipeline says after how long each: one level for each such time, counted from
-- the priority of their run. So it is worked out anew each time, by whoever sweeps, and twice is once. The oldest of each lane are looked at,
-- and of a hundred limits those that wait longest. Tasks that take turns are left out: turns are what they have against being passed over.
create or replace function millrace.age_tasks(at timestamptz) returns int
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  most int := 500;
  after bigint;
  aged_tasks bigint[];
  aged_waiters bigint[];
  targets smallint[];
  raised int := 0;
begin
  if not exists (select from pipeline_version v where v.ageing_ms is not null) or not pg_try_advisory_xact_lock(77422, 5) then
    return 0;
  end if;
  select array_agg(l.id), array_agg(l.target) into aged_tasks, targets
    from (select t.id, t.target
            -- Who has risen has left the lane: so those at the front of each are the ones that are due.
            from (select c.id, greatest(1, r.priority - floor(extract(epoch from at - c.ready_at) * 1000 / v.ageing_ms))::smallint as target, c.priority, c.ready_at
                    from pipeline_version v
                    join handler h on h.slug = v.slug and h.version = v.version
                   cross join generate_series(2, 9) level(n)
                   cross join lateral (
                     select t.id, t.run_id, t.priority, t.ready_at from task t
                      where t.handler = h.id and (t.priority, t.id) > (level.n::smallint, 0::bigint) and t.priority <= level.n
                        and t.worker_id is null and t.turn_key is null
                      order by t.priority, t.id limit most) c
                    join run r on r.id = any (array[c.run_id])
                   where v.ageing_ms is not null and c.ready_at <= at - make_interval(secs => v.ageing_ms / 1000.0)) t
           where t.target < t.priority order by t.ready_at, t.id limit most) a
   cross join lateral (select t.id, a.target from task t where t.id = a.id and t.claimed_at is null for no key update skip locked) l;
  if aged_tasks is not null then
    raised := cardinality(aged_tasks);
    insert into event (run_id, at, actor, kind, step, detail)
    select t.run_id, at, 'millrace', 'step.aged', d.step, jsonb_build_object('from', t.priority, 'to', g.target, 'tasks', count(*))
      from unnest(aged_tasks, targets) g(id, target)
     cross join lateral (select c.run_id, c.step_id, c.priority from task c where c.id = g.id offset 0) t
      join step_definition d on d.id = t.step_id
     group by t.run_id, d.step, t.priority, g.target;
    update task t set priority = g.target from unnest(aged_tasks, targets) g(id, target) where t.id = any (array[g.id]);
  end if;

  select c.state_id into after from limit_cursor c;
  select array_agg(l.id), array_agg(l.target) into aged_waiters, targets
    from (select w.id, w.target
            from (select c.id, greatest(1, r.priority - floor(extract(epoch from at - c.queued_at) * 1000 / v.ageing_ms))::smallint as target, c.priority
                    from (select s.id from limit_state s where s.waiting and s.id > after order by s.id limit 100) g
                   cross join generate_series(2, 9) level(n)
                   cross join lateral (
                     select w.id, w.run_id, w.handler, w.priority, w.queued_at from waiting_task w
                      where w.limit_state_id = g.id and w.priority = level.n order by w.queued_at, w.id limit 20) c
                    join handler h on h.id = c.handler
                    join pipeline_version v on v.slug = h.slug and v.version = h.version and v.ageing_ms is not null
                    join run r on r.id = any (array[c.run_id])
                   where c.queued_at <= at - make_interval(secs => v.ageing_ms / 1000.0)) w
           where w.target < w.priority) a
   cross join lateral (select w.id, a.target from waiting_task w where w.id = a.id for no key update skip locked) l;
  if aged_waiters is not null then
    raised := raised + cardinality(aged_waiters);
    insert into event (run_id, at, actor, kind, step, detail)
    select w.run_id, at, 'millrace', 'step.aged', d.step, jsonb_build_object('from', w.priority, 'to', g.target, 'tasks', count(*))
      from unnest(aged_waiters, targets) g(id, target)
     cross join lateral (select c.run_id, c.step_id, c.priority from waiting_task c where c.id = g.id offset 0) w
      join step_definition d on d.id = w.step_id
     group by w.run_id, d.step, w.priority, g.target;
    update waiting_task w set priority = g.target from unnest(aged_waiters, targets) g(id, target) where w.id = any (array[g.id]);
  end if;
  return raised;
end $$;
comment on function millrace.age_tasks(timestamptz) is 'Makes tasks more urgent that have been ready for long, where their pipeline says so; answers how many.';
