// What must hold of the schedules of the chaos once they are paused and all their runs have ended.
import type { Question } from './question.ts'

/** Within which of its definition and of its pause a schedule has a slot: each of them has one every other second at least. */
const endSeconds = 5
/** Whoever fires a slot may have read the clock before the run in its way had ended: it waits for locks in between, but never for long. */
const clockSeconds = 1
/** An end is dated before its locks are had and its commit is through: a locked table and a stopped worker come in between. */
const commitSeconds = 12

export const scheduleQuestions: readonly Question[] = [
  {
    claim:
      'I7 each slot of a schedule has one firing, none is passed over, and each firing that started one has a run of its own',
    offenders: `
      select s.name || ' ' || f.slot_at as thing from millrace.firing f join millrace.schedule s on s.id = f.schedule_id
       where f.kind <> 'triggered' group by s.name, f.slot_at having count(*) > 1
      union all
      select 'gap of ' || s.name || ' before ' || f.slot_at
        from (select f.*, lag(coalesce(until_slot_at, slot_at)) over (partition by schedule_id order by slot_at) as before from millrace.firing f) f
        join millrace.schedule s on s.id = f.schedule_id
       where f.before is not null and f.slot_at - f.before <> case when s.every_ms is null then interval '2 seconds' else s.every_ms * interval '1 millisecond' end
      union all
      select 'no run: ' || f.id from millrace.firing f
       where f.run_id is not null and not exists (select from millrace.run r where r.id = f.run_id)`,
  },
  {
    // All of them are defined together, and the interval of one is counted from there.
    claim: 'a schedule fires from its definition until it is paused',
    offenders: `
      with fired as (
        select s.name, s.fault, s.paused_at, coalesce(s.every_from, (select min(o.every_from) from millrace.schedule o)) as defined_at,
               min(f.slot_at) as first, max(coalesce(f.until_slot_at, f.slot_at)) as last
          from millrace.schedule s left join millrace.firing f on f.schedule_id = s.id and f.kind <> 'triggered' group by s.id)
      select name || ' never fired' as thing from fired where first is null
      union all
      select name || ' has a fault: ' || fault::text from fired where fault is not null
      union all
      select name || ' was not paused' from fired where paused_at is null
      union all
      select name || ', defined at ' || defined_at || ', fired first at ' || first from fired where first > defined_at + interval '${endSeconds} seconds'
      union all
      select name || ', paused at ' || paused_at || ', fired last at ' || last from fired where last < paused_at - interval '${endSeconds} seconds'`,
  },
  {
    claim:
      'each slot of a schedule that catches up with all, beside each other, has its run, and no firing stays queued',
    offenders: `
      select s.name || ' ' || f.slot_at || ', ' || f.slots || ' slots, ' || f.state || coalesce(' for ' || f.reason, '') as thing
        from millrace.firing f join millrace.schedule s on s.id = f.schedule_id
       where (s.catch_up = 'all' and s.overlap = 'allow' and f.kind <> 'triggered' and f.run_id is null) or f.state = 'queued'`,
  },
  {
    claim:
      'two runs of a schedule that skips what overlaps never overlap, and nothing is skipped where none is in its way',
    offenders: `
      with begun as (
        select s.name, f.schedule_id, f.slot_at, f.state, f.reason, f.fired_at, f.started_at, f.ended_at,
               max(f.ended_at) over (partition by f.schedule_id order by f.started_at, f.id rows between unbounded preceding and 1 preceding) as before
          from millrace.firing f join millrace.schedule s on s.id = f.schedule_id where s.overlap = 'skip')
      select name || ' ' || slot_at || ' began at ' || started_at || ', and the one before it ended at ' || before as thing
        from begun where started_at < before - interval '${clockSeconds} second'
      union all
      select name || ' ' || slot_at || ' was skipped at ' || fired_at from begun b
       where b.state = 'skipped' and b.reason = 'overlap'
         and not exists (select from begun o where o.schedule_id = b.schedule_id and o.started_at <= b.fired_at
                            and coalesce(o.ended_at, 'infinity') > b.fired_at - interval '${commitSeconds} seconds')`,
  },
]
