// The checker: what must hold in a database after whatever happened to it, asked in SQL.
import type { Sql } from './protocol.ts'

interface Invariant {
  id: string
  claim: string
  /** Answers with a row for each thing that breaks it. $1 is the list of acknowledged starts. */
  offenders: string
}

const invariants: Invariant[] = [
  {
    id: 'I1',
    claim: 'every acknowledged start is a run, and a live run has something that will move it',
    offenders: `
      select 'lost: ' || a.id as thing from unnest($1::uuid[]) a(id) where not exists (select from millrace.run r where r.id = a.id)
      union all
      select 'stuck: ' || r.id from millrace.run r
       where r.finished_at is null
         and not exists (select from millrace.task t where t.run_id = r.id)
         and not exists (select from millrace.waiting_task w where w.run_id = r.id)`,
  },
  {
    id: 'I2',
    claim: 'a run ends once, in one way',
    offenders: `
      select 'cancelled twice: ' || run_id as thing from millrace.event where kind = 'run.cancelled' group by run_id having count(*) > 1
      union all
      select r.state || ', and cancelled: ' || r.id from millrace.run r
       where r.state <> 'cancelled' and r.outcome is distinct from 'cancelled' and exists (select from millrace.event e where e.run_id = r.id and e.kind = 'run.cancelled')
      union all
      select 'completed without ' || d.step || ': ' || r.id
        from millrace.run r join millrace.step_definition d on d.slug = r.slug and d.version = r.version and d.kind not in ('end', 'undo', 'finally')
       where r.state = 'completed' and r.started_via <> 'outside'
         and not exists (select from millrace.attempt a
                          where a.run_id = r.id and a.step = d.step
                            and (a.outcome in ('completed', 'skipped')
                              or (a.item >= 0 and a.outcome in ('failed', 'reclaimed') and a.retry_at is null)))`,
  },
  {
    id: 'I3',
    claim: 'a step of a run, or an item of a map, has one result',
    offenders: `
      select a.run_id || ' ' || a.step || ' ' || a.item as thing from millrace.attempt a
        join millrace.run r on r.id = a.run_id
        left join millrace.step_definition d on d.slug = r.slug and d.version = r.version and d.step = a.step
       where a.outcome in ('completed', 'skipped') group by a.run_id, a.step, a.item, d.kind
      having count(*) > 1 and count(*) > case when d.kind = 'finally' then 1 + (select count(*) from millrace.event e where e.run_id = a.run_id and e.kind = 'run.redriven') else 1 end`,
  },
  {
    id: 'I4',
    claim: 'the attempts of a step are numbered without a gap, and each begins after the one before it ended',
    offenders: `
      select run_id || ' ' || step || ' ' || item as thing from (
        select run_id, step, item, attempt, started_at,
               row_number() over same as n, lag(finished_at) over same as before
          from millrace.attempt window same as (partition by run_id, step, item order by attempt)) a
       where attempt <> n or started_at < before
      union all
      select 'token of task ' || t.id from millrace.task t join millrace.step_definition d on d.id = t.step_id
       where t.attempt <> case when t.worker_id is null then 0 else 1 end
             + (select count(*) from millrace.attempt a where a.run_id = t.run_id and a.step = d.step and a.item = t.item)`,
  },
  {
    id: 'I5',
    claim: 'no task is held by a worker that is gone or whose lease ran out long ago',
    offenders: `
      select t.id::text as thing from millrace.task t left join millrace.worker w on w.id = t.worker_id
       where t.worker_id is not null
         and (w.id is null or w.state = 'gone'
           or w.lease_expires_at < millrace.now() - 2 * make_interval(secs => w.lease_seconds + 1))`,
  },
  {
    id: 'I6',
    claim: 'failures stay within the maximum, and each failed run is one dead letter, in place',
    offenders: `
      select a.run_id || ' ' || a.step || ' ' || a.item as thing
        from millrace.attempt a join millrace.run r on r.id = a.run_id
        join millrace.step_definition d on d.slug = r.slug and d.version = r.version and d.step = a.step
       where a.outcome in ('failed', 'reclaimed') group by a.run_id, a.step, a.item, d.max_attempts
      having count(*) > d.max_attempts and count(*) > d.max_attempts * (1 + (select count(*) from millrace.event e where e.run_id = a.run_id and e.kind = 'run.redriven'))
      union all
      select 'dead letter of run ' || coalesce(r.id, l.run_id)
        from (select r.* from millrace.run r where r.state = 'failed'
                 and not exists (select from millrace.run_lineage n where n.of_run = r.id and n.kind = 'redrive')) r full join millrace.dead_letter l on l.run_id = r.id
       where r.id is null or l.run_id is null`,
  },
  {
    id: 'I7',
    claim:
      'a slot of a schedule has one firing, which has a run of its own unless a rule let it go into one that waited, and is open for as long as that is live',
    offenders: `
      select 'slot twice: ' || schedule_id || ' ' || slot_at as thing from millrace.firing
       where slots = 1 group by schedule_id, slot_at having count(*) > 1
      union all
      select 'firings of one run: ' || f.run_id from millrace.firing f
       where f.run_id is not null and not exists (select from millrace.coalesced_start c where c.run_id = f.run_id)
       group by f.run_id having count(*) > 1
      union all
      select 'firing ' || f.id || ' is ' || f.state || ', and its run ' || r.state
        from millrace.firing f join millrace.run r on r.id = f.run_id
       where (f.state = 'started') <> (r.finished_at is null)`,
  },
  {
    id: 'I8',
    claim: 'a run key has one live run, which holds it, and no limit is exceeded',
    offenders: `
      select 'exceeded: ' || k.name || ' ' || s.key as thing
        from millrace.task t cross join unnest(t.holds) h(id)
        join millrace.limit_state s on s.id = h.id join millrace.limit_rule k on k.id = s.rule_id
       where t.worker_id is not null and k.kind = 'concurrency'
       group by k.id, s.id having count(*) > k.capacity and min(t.claimed_at) > k.changed_at
      union all
      select slug || ' ' || key from millrace.run
       where key is not null and finished_at is null group by slug, tenant, key having count(*) > 1
      union all
      select 'unheld: ' || r.id from millrace.run r
       where r.key is not null and r.finished_at is null
         and not exists (select from millrace.live_key l where l.run_id = r.id and l.slug = r.slug and l.key = r.key)`,
  },
  {
    id: 'I9',
    claim: 'what is parked waits for something, and what is waited for has a step that waits',
    offenders: `
      select 'parked for nothing: ' || w.run_id as thing from millrace.waiting_task w
       where w.reason = 'waiting' and not exists (
         select from millrace.wait x where x.run_id = w.run_id and x.step_id = w.step_id and x.item = w.item)
      union all
      select 'late: ' || w.run_id from millrace.waiting_task w
       where w.reason = 'waiting' and w.available_at is distinct from (
         select min(x.due_at) from millrace.wait x where x.run_id = w.run_id and x.step_id = w.step_id and x.item = w.item)
      union all
      select 'wait of nobody: ' || x.run_id || ' ' || x.name from millrace.wait x
       where not exists (select from millrace.waiting_task w where w.run_id = x.run_id and w.step_id = x.step_id and w.item = x.item)
         and not exists (select from millrace.task t where t.run_id = x.run_id and t.step_id = x.step_id and t.item = x.item)
      union all
      select 'waited for, and stored: ' || x.run_id || ' ' || x.name
        from millrace.wait x join millrace.step_definition d on d.id = x.step_id
        join millrace.checkpoint c on c.run_id = x.run_id and c.step = d.step and c.item = x.item and x.name = any (c.name || c.more_names)
      union all
      select 'stored twice: ' || c.run_id || ' ' || n.name
        from millrace.checkpoint c cross join lateral unnest(c.name || c.more_names) n(name)
       group by c.run_id, c.step, c.item, n.name having count(*) > 1
      union all
      select 'waiting run with work: ' || r.id from millrace.run r
       where r.state = 'waiting' and exists (select from millrace.task t where t.run_id = r.id)
      union all
      select 'open approval of nobody: ' || a.id from millrace.approval a
       where a.state = 'open' and not exists (
         select from millrace.wait x join millrace.step_definition d on d.id = x.step_id
          where x.run_id = a.run_id and d.step = a.step and x.item = a.item and x.name = a.name and x.kind = 'approval')
      union all
      select 'signal wait of nobody: ' || n.name from millrace.wait_signal n
       where not exists (select from millrace.wait x where x.id = n.wait_id)`,
  },
  {
    id: 'I10',
    claim: 'no connection of ours rests in a transaction',
    offenders: `
      select application_name || ' ' || pid as thing from pg_stat_activity
       where datname = current_database() and application_name like 'millrace%' and state like 'idle in transaction%'
         and state_change < clock_timestamp() - interval '5 seconds'`,
  },
  {
    id: 'I11',
    claim: 'nothing is kept of a run that does not exist, and nothing is left to do for one that has ended',
    offenders: `
      select 'attempt at no step: ' || a.run_id || ' ' || a.step as thing from millrace.attempt a where a.step = '$end'
      union all
      select 'run of no version: ' || r.id from millrace.run r
       where not exists (select from millrace.pipeline_version v where v.slug = r.slug and v.version = r.version)
      union all
      select 'attempt of ' || a.run_id as thing from millrace.attempt a
       where not exists (select from millrace.run r where r.id = a.run_id)
      union all
      select 'checkpoint of ' || c.run_id from millrace.checkpoint c where not exists (select from millrace.run r where r.id = c.run_id)
      union all
      select 'artifact of ' || a.run_id from millrace.artifact a where not exists (select from millrace.run r where r.id = a.run_id)
      union all
      select 'event of ' || e.run_id from millrace.event e where not exists (select from millrace.run r where r.id = e.run_id)
      union all
      select 'live key of ' || l.run_id from millrace.live_key l
       where not exists (select from millrace.run r where r.id = l.run_id and r.finished_at is null)
      union all
      select 'task of ' || t.run_id from millrace.task t
       where not exists (select from millrace.run r where r.id = t.run_id and (r.finished_at is null or t.aborted_at is not null))
      union all
      select 'waiting task of ' || w.run_id from millrace.waiting_task w
       where not exists (select from millrace.run r where r.id = w.run_id and r.finished_at is null)
      union all
      select 'join of ' || j.run_id from millrace.join_state j
       where not exists (select from millrace.run r where r.id = j.run_id and r.finished_at is null)
      union all
      select 'item of ' || m.run_id from millrace.map_item m
       where not exists (select from millrace.join_state j where j.run_id = m.run_id and j.step_id = m.step_id)
      union all
      select 'deadline of ' || d.run_id from millrace.run_deadline d
       where not exists (select from millrace.run r where r.id = d.run_id and r.finished_at is null)`,
  },
]

/** Those that say something only while workers are there. */
export const ofWorkers: ReadonlySet<string> = new Set(['I5', 'I10'])

/** The broken invariants with what breaks them, as sentences; none when all hold. `acknowledged` are the ids of started runs; all are asked unless told. */
export async function findBrokenInvariants(
  sql: Sql,
  acknowledged: readonly string[] = [],
  asked?: ReadonlySet<string>,
): Promise<string[]> {
  const found: string[] = []
  for (const { id, claim, offenders } of invariants) {
    if (asked?.has(id) === false) continue
    const rows = await sql.query<{ thing: string }>(
      `select thing from (${offenders}) broken where $1::uuid[] is not null order by 1 limit 5`,
      [acknowledged],
    )
    found.push(...rows.map(({ thing }) => `${id} ${claim}: ${thing}`))
  }
  return found
}
