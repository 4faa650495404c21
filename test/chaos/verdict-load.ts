// The verdict on what the load alone knows: what it asked for once was done once, what failed had a reason, what stood in order came in order, and
// what it asked people and the world outside for was done and kept.
import type { Sql } from '../protocol.ts'
import { hopelessAttempts } from './light-pipelines.ts'
import type { DoneToRuns } from './load.ts'
import type { HeardCall } from './outside.ts'
import type { Question } from './question.ts'

export interface KnownOfLoad extends DoneToRuns {
  /** By steps, to the world outside, in their order. */
  readonly calls: readonly HeardCall[]
}

const shown = 5

/** What a fault makes of a statement or a call: the server or the way to it is away, full, read-only, slow, or gave way to another. */
const codesOfFaults =
  '^(08...|53...|57P0.|57014|25006|25P0.|40001|40P01|55P03|58030|database_(unreachable|full|read_only)|E[A-Z_]+|UND_ERR_[A-Z_]+|http_failed)$'
/** Of errors that have no code of their own. */
const messagesOfFaults =
  'terminated|not queryable|connection error|timeout expired|timeout exceeded when trying to connect|query read timeout|fetch failed|aborted due to timeout'

/** Of an attempt a and its run r: whether the load itself made it fail, which it says in these words. */
const toldToFail = `(
  (a.attempt = 1 and (r.slug = 'chaos-light-stumble' or a.step like 'stumble-%') and a.error ->> 'message' like 'It stumbles the first time: %')
  or (a.attempt = 1 and a.step like 'outside-%' and a.error ->> 'message' like 'It stumbles after its call: %')
  or (a.attempt = 1 and a.step = 'end' and (r.input ->> 'fails')::boolean and a.error ->> 'message' like 'It was told to fail: %')
  or (r.slug = 'chaos-light-hopeless' and a.error ->> 'message' like 'It always fails: %'))`

const failedByFault = `(a.error ->> 'code' ~ '${codesOfFaults}' or a.error ->> 'message' ~* '${messagesOfFaults}')`

const questions: readonly Question[] = [
  {
    claim: 'what was asked for once is one run, whether it was acknowledged or not',
    offenders: `
      select input ->> 'nonce' || ' is ' || string_agg(id::text, ', ') as thing from millrace.run where input ? 'nonce'
       group by input ->> 'nonce' having count(*) > 1`,
  },
  {
    claim: 'each run was asked for: by the load, a caller, a delivery, a change or a slot',
    offenders: `
      select r.slug || ' ' || r.id as thing from millrace.run r
       where case when r.slug = 'chaos-child' then not exists (select from millrace.run p where p.id = r.parent_run_id)
                  when r.slug = 'chaos-tick' then not exists (select from millrace.firing f where f.run_id = r.id)
                  when r.slug = 'chaos-change' then not exists (select from millrace.change_run c where c.run_id = r.id)
                  when r.slug = 'chaos-hooked' then not exists (select from millrace.delivery_run d where d.run_id = r.id)
                  when r.slug like 'chaos-%' then not r.input ? 'nonce' end`,
  },
  {
    claim: 'a run calls others as often as its steps say, each once',
    offenders: `
      with called as (
        select parent_run_id as run_id, parent_step as step, count(*) as times, count(distinct (parent_item, parent_call, parent_place)) as places
          from millrace.run where parent_run_id is not null group by 1, 2)
      select run_id || ' ' || step || ' called ' || times || ' runs in ' || places || ' places' as thing from called where times > places
      union all
      select a.run_id || ' ' || a.step || ' completed with ' || coalesce(c.times, 0) || ' called runs'
        from millrace.attempt a left join called c on c.run_id = a.run_id and c.step = a.step
       where a.outcome = 'completed' and (a.step like 'call-%' or a.step like 'calls-%')
         and coalesce(c.times, 0) <> case when a.step like 'calls-%' then 3 else 1 end`,
  },
  {
    claim: 'an attempt fails only where the load says so, or by what a fault brings about',
    offenders: `
      select a.run_id || ' ' || r.slug || ' ' || a.step || ', attempt ' || a.attempt || ': ' || a.error::text as thing
        from millrace.attempt a join millrace.run r on r.id = a.run_id
       where a.outcome = 'failed' and not ${toldToFail} and not ${failedByFault}`,
  },
  {
    claim: 'an attempt is taken back only where its worker was lost',
    offenders: `
      select run_id || ' ' || step || ', attempt ' || attempt || ': ' || coalesce(error::text, 'no reason') as thing
        from millrace.attempt where outcome = 'reclaimed' and error ->> 'code' is distinct from 'worker_lost'`,
  },
  {
    claim: 'a run is redriven only where it was told to fail, and as often as it failed for good',
    offenders: `
      with redriven as (
        select run_id, count(*) as times from millrace.event where kind = 'run.redriven' group by run_id
      ), given_up as (
        select a.run_id, count(*) as times from millrace.attempt a
         where a.outcome in ('failed', 'reclaimed') and a.retry_at is null and a.item < 0 group by a.run_id)
      select r.id || ' ' || r.slug || ' ' || r.state || ', given up ' || coalesce(g.times, 0) || ' times, redriven ' || coalesce(d.times, 0) || ' times' as thing
        from millrace.run r left join redriven d on d.run_id = r.id left join given_up g on g.run_id = r.id
       where (d.times > 0 or g.times > 0 or r.state = 'failed')
         and (d.times > 1
           or (d.times > 0 and not (r.slug like 'chaos-random-%' and (r.input ->> 'fails')::boolean))
           or (r.state <> 'cancelled' and coalesce(g.times, 0) <> coalesce(d.times, 0) + case when r.state = 'failed' then 1 else 0 end))`,
  },
  {
    claim:
      'no dead letter is left but of what always fails, which is given up after its last attempt and is one',
    offenders: `
      select 'left: ' || l.run_id || ' ' || l.slug || ' ' || coalesce(l.step, '') || ' ' || l.error::text as thing
        from millrace.dead_letter l where l.slug <> 'chaos-light-hopeless'
      union all
      select r.id || ' ' || r.state || ' after ' || count(a.run_id) || ' attempts, ' || count(a.run_id) filter (where a.outcome in ('failed', 'reclaimed')) || ' of them failed'
        from millrace.run r left join millrace.attempt a on a.run_id = r.id left join millrace.dead_letter l on l.run_id = r.id
       where r.slug = 'chaos-light-hopeless'
       group by r.id, r.state, l.run_id
      having r.state <> 'failed' or l.run_id is null or bool_or(a.outcome = 'completed')
          or count(a.run_id) filter (where a.outcome in ('failed', 'reclaimed')) <> ${hopelessAttempts}`,
  },
  {
    claim: 'an acknowledged signal is kept, once',
    offenders: `
      select k.key as thing from jsonb_array_elements_text($1::jsonb -> 'signals') k(key)
        left join millrace.signal s on s.idempotency_key = k.key group by k.key having count(distinct s.id) <> 1`,
  },
  {
    claim: 'a run whose cancellation was acknowledged is cancelled',
    offenders: `
      select c.id || ' is ' || coalesce(r.state, 'no run') as thing from jsonb_array_elements_text($1::jsonb -> 'cancelled') c(id)
        left join millrace.run r on r.id = c.id::uuid
       where r.state is distinct from 'cancelled'
          or not exists (select from millrace.event e where e.run_id = r.id and e.kind = 'run.cancelled')`,
  },
  {
    claim: 'E6 no effect is committed after its run has ended',
    offenders: `
      select f.run_id || ' ' || f.step || ', attempt ' || f.attempt || ', in a run that is ' || r.state as thing
        from public.effect f join millrace.run r on r.id = f.run_id
       where r.finished_at is not null and pg_xact_commit_timestamp(f.xmin) > pg_xact_commit_timestamp(r.xmin)`,
  },
  {
    claim:
      'a step calls the outside once an attempt, under one key, never once the answer was kept, and is not done without',
    offenders: `
      with heard as (
        select (c ->> 'run')::uuid as run_id, c ->> 'step' as step, (c ->> 'attempt')::int as attempt, c ->> 'key' as key
          from jsonb_array_elements($1::jsonb -> 'calls') c
      ), called as (
        select run_id, step, attempt, count(*) as times from heard group by run_id, step, attempt)
      select 'called ' || times || ' times: ' || run_id || ' ' || step || ', attempt ' || attempt as thing from called where times > 1
      union all
      select 'under ' || count(distinct key) || ' keys: ' || run_id || ' ' || step from heard group by run_id, step having count(distinct key) > 1
      union all
      select 'called again once it was kept: ' || c.run_id || ' ' || c.step || ', attempt ' || c.attempt
        from called c join millrace.checkpoint k on k.run_id = c.run_id and k.step = c.step where c.attempt > k.attempt
      union all
      select 'called by no attempt: ' || c.run_id || ' ' || c.step || ', attempt ' || c.attempt
        from called c where not exists (select from millrace.attempt a where a.run_id = c.run_id and a.step = c.step and a.attempt = c.attempt)
      union all
      select 'completed without a call: ' || a.run_id || ' ' || a.step from millrace.attempt a
       where a.outcome = 'completed' and (a.step like 'outside-%' or a.step like 'http-%')
         and not exists (select from called c where c.run_id = a.run_id and c.step = a.step)`,
  },
  {
    // Where nobody wrote when it went, it was cut off: it held the lock until its attempt was taken back, and else for a time that nobody knows.
    // What one did that had lost its lease says nothing: for that there are tokens.
    claim: 'a named lock has one holder at a time, and each later one has a higher token',
    offenders: `
      with held as (
        select h.name, h.token, h.run_id, h.attempt, h.entered_at,
               case when h.left_at is not null then least(h.left_at, a.finished_at) when a.outcome = 'reclaimed' then a.finished_at else h.entered_at end as left_at
          from public.hold h join millrace.attempt a on a.run_id = h.run_id and a.step = h.step and a.item = -1 and a.attempt = h.attempt
         where h.entered_at < a.finished_at
      ), walked as (
        select *, max(left_at) over before as last_left, max(token) over before as last_token from held
        window before as (partition by name order by entered_at, token rows between unbounded preceding and 1 preceding))
      select case when token <= last_token then 'token ' || token || ' after ' || last_token else 'two at once' end
             || ': ' || name || ' at ' || entered_at || ' by run ' || run_id || ', attempt ' || attempt as thing
        from walked where entered_at < last_left or token <= last_token
      union all
      select 'held by no attempt: ' || h.name || ' by run ' || h.run_id || ', attempt ' || h.attempt from public.hold h
       where not exists (select from millrace.attempt a where a.run_id = h.run_id and a.step = h.step and a.attempt = h.attempt)`,
  },
  {
    claim: 'the runs of the changes of one row begin in their order, each when the one before has ended',
    offenders: `
      select 'row ' || id || ', version ' || version || ': run ' || run_id || ' began at ' || began_at || ', the one before ended at ' || before as thing from (
        select *, lag(finished_at) over (partition by id order by version) as before
          from (select r.id as run_id, r.finished_at, (r.input -> 'key' ->> 'id')::int as id,
                       coalesce((r.input -> 'new' ->> 'version')::int, (r.input -> 'old' ->> 'version')::int + 1) as version,
                       (select min(a.started_at) from millrace.attempt a where a.run_id = r.id) as began_at
                  from millrace.run r where r.slug = 'chaos-change') c) w
       where began_at < before`,
  },
]

/** When all has ended: sentences with what was found, a few of each kind. */
export async function judgeLoad(sql: Sql, known: KnownOfLoad): Promise<string[]> {
  const given = JSON.stringify(known)
  const broken: string[] = []
  for (const { claim, offenders } of questions) {
    const rows = await sql.query<{ thing: string }>(offenders, offenders.includes('$1') ? [given] : [])
    broken.push(...rows.slice(0, shown).map(({ thing }) => `${claim}: ${thing}`))
  }
  return broken
}

export interface Seen {
  readonly redriven: number
  readonly deadLetters: number
  readonly calledRuns: number
  readonly locksHeld: number
  readonly changes: number
  /** Attempts that failed although the load did not make them: without any fault, none. */
  readonly failedByFaults: number
}

/** How much there was to look at: of nothing every claim is true. */
export async function countSeen(sql: Sql): Promise<Seen> {
  const [seen] = await sql.query<Seen>(
    `select (select count(*)::int from millrace.event where kind = 'run.redriven') as redriven,
            (select count(*)::int from millrace.dead_letter) as "deadLetters",
            (select count(*)::int from millrace.run where parent_run_id is not null) as "calledRuns",
            (select count(*)::int from public.hold) as "locksHeld",
            (select count(*)::int from millrace.run where slug = 'chaos-change') as changes,
            (select count(*)::int from millrace.attempt a join millrace.run r on r.id = a.run_id
              where a.outcome = 'failed' and not ${toldToFail}) as "failedByFaults"`,
  )
  return seen!
}
