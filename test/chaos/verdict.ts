// The verdict on a run of chaos: each promise as a question to the database, and what breaks it.
import { findBrokenInvariants } from '../checker.ts'
import { miscounted } from '../limits.ts'
import type { Sql } from '../protocol.ts'
import { leftovers } from './leftovers.ts'
import type { Acknowledged } from './load.ts'
import { turnCaps } from './light-pipelines.ts'
import { caps, effectSteps, type Loaded, watchName } from './pipelines.ts'
import type { Known, Question } from './question.ts'
import { scheduleQuestions } from './schedule-questions.ts'

export interface Verdict {
  readonly lost: number
  readonly endedTwice: number
  readonly duplicateEffects: number
  readonly capsExceeded: number
  /** Sentences with what was found, a few of each kind. */
  readonly broken: readonly string[]
}

const lookedAtOnce = 20_000
const shown = 5

const lost: Question = {
  claim: 'I1 every acknowledged start is a run',
  offenders: `select id::text as thing from unnest($1::uuid[]) a(id) where not exists (select from millrace.run r where r.id = a.id)`,
}

const endedTwice: Question = {
  claim: 'I2 nothing of a run completes after it has ended',
  offenders: `
    select r.id || ' ' || a.step as thing from millrace.run r join millrace.attempt a on a.run_id = r.id
     where a.outcome = 'completed' and a.finished_at > r.finished_at and r.state = 'completed'`,
}

const duplicateEffects: Question = {
  claim: 'I3 an effect in the database happens once',
  offenders:
    'select run_id || $$ $$ || step as thing from public.effect group by run_id, step, item having count(*) > 1',
}

const questions: readonly Question[] = [
  {
    claim: 'I3 I4 an effect is there for each completed step that has one, by the attempt that completed it',
    offenders: `
      with expected as (
        select a.run_id, a.step, a.attempt from millrace.attempt a join millrace.run r on r.id = a.run_id
         where a.outcome = 'completed' and $1::jsonb -> 'effects' -> r.slug ? a.step)
      select 'missing: ' || e.run_id || ' ' || e.step as thing from expected e
       where not exists (select from public.effect f where f.run_id = e.run_id and f.step = e.step and f.attempt = e.attempt)
      union all
      select 'of nobody: ' || f.run_id || ' ' || f.step from public.effect f
       where not exists (select from expected e where e.run_id = f.run_id and e.step = f.step and e.attempt = f.attempt)`,
  },
  {
    claim: 'every run has ended',
    offenders:
      'select id || $$ $$ || slug || $$ $$ || state as thing from millrace.run where finished_at is null',
  },
  {
    claim: 'a run gives what its graph and its input say',
    offenders: `
      select r.id || ' gave ' || coalesce(r.output::text, 'nothing') || ' in the place of ' || (r.input ->> 'expected') as thing
        from millrace.run r where r.state = 'completed' and (r.slug like 'chaos-random-%' or r.slug like 'chaos-light-%')
         and r.output -> 'n' is distinct from r.input -> 'expected'`,
  },
  {
    claim:
      'the fence: what an attempt gave, or failed with, was written in its own name, by the worker that held it',
    offenders: `
      with written as (
        select a.run_id || ' ' || a.step || ', attempt ' || a.attempt || ' of process ' || coalesce(w.process_id::text, 'nobody') as who, a.attempt, w.process_id, a.output, a.error
          from millrace.attempt a join millrace.run r on r.id = a.run_id left join millrace.worker w on w.id = a.worker_id
         where a.outcome in ('completed', 'failed') and (r.slug like 'chaos-random-%' or r.slug like 'chaos-light-%'))
      select who || ' gave ' || output::text as thing from written
       where jsonb_typeof(output) = 'object' and (output - 'n') is distinct from jsonb_build_object('attempt', attempt, 'pid', process_id)
      union all
      select who || ' failed with: ' || (error ->> 'message') from written
       where error ->> 'message' ~ 'attempt [0-9]+ of process [0-9]+[.]'
         and right(error ->> 'message', length(format('attempt %s of process %s.', attempt, process_id))) <> format('attempt %s of process %s.', attempt, process_id)
      union all
      select who || ' failed as nothing of the load does: ' || error::text from written where error ->> 'code' like '23___'`,
  },
  {
    claim: 'a run fails only where it was told to, and is cancelled only where somebody asked for it',
    offenders: `
      select r.id || ' ' || r.slug || ' ' || r.state || ' ' || coalesce(r.error ->> 'message', '') as thing from millrace.run r
       where (r.state = 'failed' and (r.input ->> 'fails')::boolean is not true)
          or (r.state = 'cancelled' and not $1::jsonb -> 'askedToCancel' ? coalesce(r.parent_run_id, r.id)::text)`,
  },
  {
    claim: 'a start in a transaction comes and goes with it',
    offenders: `
      select 'run without booking: ' || r.id as thing from millrace.run r
       where r.slug = 'chaos-booking' and not exists (select from public.booked b where b.run_id = r.id)
      union all
      select 'booking without run: ' || b.run_id from public.booked b
       where not exists (select from millrace.run r where r.id = b.run_id)`,
  },
  {
    claim: 'I9 the runs of a watched table tell each committed change, once, and no other',
    offenders: `
      with told as (
        select (input -> 'key' ->> 'id')::int as id, input ->> 'operation' as operation,
               coalesce((input -> 'new' ->> 'version')::int, (input -> 'old' ->> 'version')::int + 1) as version
          from millrace.run where slug = 'chaos-change')
      select 'not told: ' || d::text as thing from (select id, version, operation from public.journal except all select id, version, operation from told) d
      union all
      select 'told, and not so: ' || d::text from (select id, version, operation from told except all select id, version, operation from public.journal) d
      union all
      select 'left to be told: ' || c.id from millrace.change c
      union all
      select 'gap: ' || g.id from millrace.change_gap g join millrace.change_watch w on w.id = g.watch_id where w.name = '${watchName}'`,
  },
  {
    claim: 'an acknowledged delivery of a webhook is accepted once, and has one run',
    offenders: `
      select a.id as thing from jsonb_array_elements_text($1::jsonb -> 'deliveries') a(id)
        left join millrace.delivery d on d.provider_id = a.id and d.state = 'accepted'
        left join millrace.delivery_run n on n.delivery_id = d.id and n.run_id is not null
        left join millrace.run r on r.id = n.run_id
       group by a.id having count(r.id) <> 1`,
  },
  ...scheduleQuestions,
  ...leftovers,
]

export const countsHold = 'I8 a limit counts what holds it, and nothing else'

/** Walks over the begins and ends of the attempts of each key, in their order; of two at one moment, the end comes first. */
const capQuestion = (capacity: number, key: string, steps: string): Question => ({
  claim: `I8 at most ${capacity} ${key === `''` ? 'in all' : 'of a key'} are under way at once (${steps})`,
  offenders: `
    with held as (
      select ${key} as key, a.run_id, a.started_at, a.finished_at
        from millrace.attempt a join millrace.run r on r.id = a.run_id where ${steps}
    ), moment as (
      select key, run_id, started_at as at, 1 as step from held union all select key, run_id, finished_at, -1 from held
    ), walked as (
      select key, run_id, at, step, sum(step) over (partition by key order by at, step rows unbounded preceding) as count from moment
    )
    select key || ' at ' || at || ' of run ' || run_id as thing from walked where step = 1 and count > ${capacity}`,
})

const capQuestions = [
  capQuestion(caps.shop, `r.input ->> 'shop'`, `(a.step like 'limited-%' or a.step like 'narrow-%')`),
  capQuestion(caps.all, `''`, `a.step like 'narrow-%'`),
  capQuestion(turnCaps.lane, `r.input ->> 'lane'`, `a.step = 'turn'`),
  capQuestion(turnCaps.all, `''`, `a.step = 'turn'`),
]

/** All that is asked beside what the checker asks, and what the limits count. */
export const asked: readonly Question[] = [lost, endedTwice, duplicateEffects, ...capQuestions, ...questions]

/** When all has ended. */
export async function judge(
  sql: Sql,
  acknowledged: Acknowledged,
  pipelines: readonly Loaded[],
): Promise<Verdict> {
  const known: Known = {
    effects: effectSteps(pipelines),
    askedToCancel: acknowledged.askedToCancel,
    deliveries: acknowledged.deliveries,
  }
  const broken: string[] = []
  const ask = async ({ claim, offenders }: Question, given?: unknown): Promise<number> => {
    const rows = await sql.query<{ thing: string }>(offenders, given === undefined ? [] : [given])
    broken.push(...rows.slice(0, shown).map(({ thing }) => `${claim}: ${thing}`))
    return rows.length
  }
  const isAsked = ({ offenders }: Question) => offenders.includes('$1')
  let gone = 0
  for (let at = 0; at < acknowledged.runs.length; at += lookedAtOnce)
    gone += await ask(lost, acknowledged.runs.slice(at, at + lookedAtOnce))
  const twice = await ask(endedTwice)
  const duplicates = await ask(duplicateEffects)
  let exceeded = 0
  for (const question of capQuestions) exceeded += await ask(question)
  for (const question of questions) await ask(question, isAsked(question) ? JSON.stringify(known) : undefined)
  const general = await findBrokenInvariants(sql)
  const counts = await miscounted(sql)
  broken.push(...counts.slice(0, shown).map((count) => `${countsHold}: ${JSON.stringify(count)}`))
  return {
    lost: gone,
    endedTwice: twice + general.filter((sentence) => sentence.startsWith('I2 ')).length,
    duplicateEffects: duplicates,
    capsExceeded: exceeded,
    broken: [...broken, ...general],
  }
}
