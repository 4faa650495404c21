-- Judges what overlaps of the firings that are queued, and starts those that may begin. The schedules are locked by the caller, so that two
-- firings of one are never judged at once. Backfills are judged among themselves: they stand in no slot's way.
create or replace function millrace.admit_firings(schedule_ids bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  judged record;
  most constant int := 1000;
begin
  with live as materialized (
    select distinct on (o.schedule_id, o.kind = 'backfill') o.schedule_id, o.kind = 'backfill' as is_backfill, o.run_id
      from firing o
     where o.schedule_id = any (admit_firings.schedule_ids) and o.state = 'started'
     order by o.schedule_id, o.kind = 'backfill', o.slot_at desc
  ), line as materialized (
    select f.id, f.schedule_id, f.kind = 'backfill' as is_backfill, f.overlap, f.fired_at, f.slot_at, l.run_id as live_run
      from firing f join schedule s on s.id = f.schedule_id
      left join live l on l.schedule_id = f.schedule_id and l.is_backfill = (f.kind = 'backfill')
     where f.schedule_id = any (admit_firings.schedule_ids) and f.state = 'queued' and (s.paused_at is null or f.kind in ('triggered', 'backfill'))
  ), placed as (
    select l.*, (count(*) filter (where l.overlap <> 'allow') over before + (l.live_run is not null)::int) as ahead,
           -- What begins only to be cancelled by another one of the same line doesn't begin.
           coalesce(bool_or(l.overlap = 'cancel_other') over after, false) as is_passed
      from line l
    window before as (partition by l.schedule_id, l.is_backfill order by l.fired_at, l.slot_at, l.id rows between unbounded preceding and 1 preceding),
           after as (partition by l.schedule_id, l.is_backfill order by l.fired_at, l.slot_at, l.id rows between 1 following and unbounded following)
  ), decided as (
    select p.id, p.schedule_id, p.live_run,
           case when p.is_passed and (p.overlap in ('allow', 'cancel_other') or p.ahead = 0) then 'skip'
                when p.overlap = 'allow' or p.ahead = 0 then 'start'
                when p.overlap = 'cancel_other' then 'replace'
                when p.overlap = 'queue_all' and (p.is_backfill or p.ahead <= most) then 'wait'
                when p.overlap = 'queue_one' and p.ahead = 1 then 'wait'
                else 'skip' end as verdict
      from placed p
  )
  select array_agg(d.id order by d.id) filter (where d.verdict in ('start', 'replace')) as starting,
         array_agg(d.schedule_id) filter (where d.verdict = 'replace') as replacing,
         array_agg(d.id order by d.id) filter (where d.verdict = 'skip') as skipped,
         array_agg(d.live_run order by d.id) filter (where d.verdict = 'skip') as live_runs
    into judged from decided d;
  if judged.skipped is not null then
    update firing f set state = 'skipped', reason = 'overlap', blocked_by = g.live_run, closed_at = at
      from unnest(judged.skipped, judged.live_runs) g(id, live_run) where f.id = g.id;
  end if;
  if judged.starting is not null then
    perform start_firings(judged.starting, coalesce(judged.replacing, '{}'), at);
  end if;
end $$;
comment on function millrace.admit_firings(bigint[], timestamptz) is 'Judges what overlaps of the firings that are queued, and starts those that may begin.';
