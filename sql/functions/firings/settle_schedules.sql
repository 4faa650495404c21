-- What the ends of firings lead to for these schedules, which the caller has locked: failures in a row are counted, and pause it once there are as many
-- as it says; what is queued begins.
create or replace function millrace.settle_schedules(schedule_ids bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  counted record;
  waiting bigint[];
begin
  perform queue_pings(array(select f.id from firing f where f.schedule_id = any (settle_schedules.schedule_ids) and f.unsettled), at);
  for counted in
    with ended as (
      update firing f set unsettled = false where f.schedule_id = any (settle_schedules.schedule_ids) and f.unsettled
      returning f.id, f.schedule_id, f.run_id, f.closed_at, f.state in ('completed', 'verified') as is_good,
                f.state = 'unverified' or (f.state = 'failed' and f.reason <> 'run_cancelled') as is_bad
    ), placed as (
      select e.*, bool_or(e.is_good) over (partition by e.schedule_id order by e.closed_at, e.id rows between 1 following and unbounded following) as good_after
        from ended e
    ), told as (
      select p.schedule_id, bool_or(p.is_good) as is_good, count(*) filter (where p.is_bad and p.good_after is not true) as bad,
             (array_agg(p.run_id order by p.closed_at desc, p.id desc) filter (where p.is_bad and p.run_id is not null))[1] as last_run
        from placed p group by p.schedule_id
    )
    update schedule s set failures = case when t.is_good then t.bad else s.failures + t.bad end
      from told t where s.id = t.schedule_id and (t.is_good or t.bad > 0)
    returning s.id, s.name, s.failures, s.pause_after, s.paused_at, s.retired_at, t.last_run
  loop
    continue when counted.failures < counted.pause_after or counted.pause_after is null or counted.paused_at is not null or counted.retired_at is not null;
    perform halt_schedule(counted.id, 'millrace', case counted.failures when 1 then 'one firing failed' else format('%s firings in a row failed', counted.failures) end
                          || coalesce(', the last one by run ' || counted.last_run, ''), at);
    if counted.last_run is not null then
      insert into event (run_id, at, actor, kind, detail)
      values (counted.last_run, at, 'millrace', 'schedule.paused', jsonb_build_object('schedule', counted.name, 'failures', counted.failures));
    end if;
  end loop;
  waiting := array(select distinct f.schedule_id from firing f where f.schedule_id = any (settle_schedules.schedule_ids) and f.state = 'queued');
  if waiting <> '{}' then
    perform admit_firings(waiting, at);
  end if;
end $$;
comment on function millrace.settle_schedules(bigint[], timestamptz) is 'What the ends of firings lead to for these schedules.';
