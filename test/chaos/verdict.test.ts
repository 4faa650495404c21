// The verdict finds each offence that it was made for, in a world that is sound otherwise.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { type Connection, connect } from '../protocol.ts'
import { finishedWorld, type FinishedWorld } from './finished-world.ts'
import type { Acknowledged } from './load.ts'
import { asked, countsHold, judge, type Verdict } from './verdict.ts'

let database: TestDatabase
let one: Connection
let world: FinishedWorld
beforeAll(async () => {
  database = await createTestDatabase()
  one = await connect(database)
  world = await finishedWorld(database)
})
afterAll(async () => {
  await one.end()
  await database.close()
})

const nobody = '01890000-0000-7000-8000-000000000000'

const judged = (acknowledged: Partial<Acknowledged> = {}): Promise<Verdict> =>
  judge(one, { ...world.acknowledged, ...acknowledged }, world.pipelines)

interface Offence {
  /** How the claim that it breaks begins. */
  readonly claim: string
  /** What is said of it, from its beginning. */
  readonly finds: RegExp
  readonly sql?: (runs: FinishedWorld['runs']) => string
  readonly acknowledged?: Partial<Acknowledged>
}

/** Of all attempts at these steps, of runs with this input: they were all under way at once. */
const atOnce =
  (steps: string, input = 'true') =>
  () =>
    `update millrace.attempt a set started_at = now(), finished_at = now() + interval '1 minute' from millrace.run r where r.id = a.run_id and a.step like '${steps}' and ${input}`

const schedule = (name: string) => `(select id from millrace.schedule where name = '${name}')`
const parked =
  (reason: string) =>
  ({ random }: FinishedWorld['runs']) =>
    `insert into millrace.waiting_task (handler, priority, run_id, step_id, reason, available_at) values (1, 5, '${random}', 1, '${reason}', now())`
const stepId = `(select id from millrace.step_definition where slug = 'chaos-random-0' and step = 'end')`
const limitState = (used: number, waiting: boolean) => `
  insert into millrace.limit_state (id, rule_id, key, used, waiting, changed_at) select 1, id, 'x', ${used}, ${waiting}, now() - interval '1 hour' from millrace.limit_rule`

const offences: readonly Offence[] = [
  { claim: 'I1 every acknowledged start', finds: new RegExp(nobody), acknowledged: { runs: [nobody] } },
  {
    claim: 'I2 nothing of a run completes',
    finds: / tx-2/,
    sql: ({ random }) =>
      `update millrace.attempt set finished_at = finished_at + interval '1 hour' where run_id = '${random}' and step = 'tx-2'`,
  },
  {
    claim: 'I3 an effect in the database',
    finds: / tx-2/,
    sql: ({ random }) =>
      `insert into public.effect select * from public.effect where run_id = '${random}' and step = 'tx-2'`,
  },
  {
    claim: 'I3 I4 an effect is there',
    finds: /^missing/,
    sql: ({ random }) => `delete from public.effect where run_id = '${random}' and step = 'tx-2'`,
  },
  {
    claim: 'I3 I4 an effect is there',
    finds: /^of nobody/,
    sql: ({ random }) => `update public.effect set attempt = 2 where run_id = '${random}' and step = 'tx-2'`,
  },
  {
    claim: 'every run has ended',
    finds: /chaos-tick pending/,
    sql: () => `select millrace.start_run('chaos-tick', 'null')`,
  },
  {
    claim: 'a run gives what',
    finds: / gave .*in the place of 1/,
    sql: ({ random }) =>
      `update millrace.run set output = '{"n": 2, "attempt": 1, "pid": 1}' where id = '${random}'`,
  },
  {
    claim: 'a run gives what',
    finds: / gave nothing in the place of 1/,
    sql: ({ random }) => `update millrace.run set output = null where id = '${random}'`,
  },
  {
    claim: 'the fence',
    finds: /attempt 1 of process 1 gave/,
    sql: ({ random }) =>
      `update millrace.attempt set output = output || '{"pid": 2}' where run_id = '${random}' and step = 'tx-2'`,
  },
  {
    claim: 'the fence',
    finds: / failed with: /,
    sql: ({ failed }) =>
      `update millrace.attempt set error = error || '{"message": "It stumbles: attempt 2 of process 1."}' where run_id = '${failed}'`,
  },
  {
    claim: 'the fence',
    finds: / failed as nothing of the load does/,
    sql: ({ failed }) =>
      `update millrace.attempt set error = error || '{"code": "23505"}' where run_id = '${failed}'`,
  },
  {
    claim: 'a run fails only where',
    finds: / failed It was told/,
    sql: ({ failed }) => `update millrace.run set input = input || '{"fails": false}' where id = '${failed}'`,
  },
  { claim: 'a run fails only where', finds: / cancelled/, acknowledged: { askedToCancel: [] } },
  {
    claim: 'a start in a transaction',
    finds: /^run without booking/,
    sql: () => 'delete from public.booked',
  },
  {
    claim: 'a start in a transaction',
    finds: /^booking without run/,
    sql: () => `insert into public.booked values ('${nobody}')`,
  },
  {
    claim: 'I9 the runs of a watched',
    finds: /^not told/,
    sql: () => "insert into public.journal values (1, 2, 'update')",
  },
  { claim: 'I9 the runs of a watched', finds: /^told, and not so/, sql: () => 'delete from public.journal' },
  {
    claim: 'I9 the runs of a watched',
    finds: /^left to be told/,
    sql: () =>
      `insert into millrace.change (watch_id, transaction, operation, at) select id, '1', 'insert', now() from millrace.change_watch`,
  },
  {
    claim: 'I9 the runs of a watched',
    finds: /^gap/,
    sql: () =>
      `insert into millrace.change_gap (watch_id, transaction, at, sqlstate, message) select id, '1', now(), '53100', 'x' from millrace.change_watch`,
  },
  { claim: 'an acknowledged delivery', finds: /^msg_2/, acknowledged: { deliveries: ['msg_1', 'msg_2'] } },
  {
    claim: 'an acknowledged delivery',
    finds: /^msg_1/,
    sql: ({ random }) =>
      `insert into millrace.delivery_run select id, 'chaos-random-0', 'started', '${random}' from millrace.delivery`,
  },
  {
    claim: 'I7 each slot of a schedule',
    finds: /^chaos-alone /,
    sql: () =>
      `update millrace.firing set slots = 2, until_slot_at = slot_at + interval '2 seconds' where state = 'skipped';
       insert into millrace.firing (schedule_id, slot_at, overlap, kind, state, reason, due_at, fired_at, fired_by, closed_at)
       select schedule_id, slot_at, overlap, kind, state, reason, due_at, fired_at, fired_by, closed_at from millrace.firing where state = 'skipped'`,
  },
  {
    claim: 'I7 each slot of a schedule',
    finds: /^gap of chaos-each/,
    sql: ({ each1 }) => `delete from millrace.firing where run_id = '${each1}'`,
  },
  {
    claim: 'I7 each slot of a schedule',
    finds: /^gap of chaos-alone/,
    sql: () => "delete from millrace.firing where state = 'skipped'",
  },
  {
    claim: 'I7 each slot of a schedule',
    finds: /^no run/,
    sql: ({ each1 }) => `update millrace.firing set run_id = '${nobody}' where run_id = '${each1}'`,
  },
  {
    claim: 'a schedule fires from',
    finds: /^chaos-alone never fired/,
    sql: () => `delete from millrace.firing where schedule_id = ${schedule('chaos-alone')}`,
  },
  {
    claim: 'a schedule fires from',
    finds: /^chaos-each has a fault/,
    sql: () => `update millrace.schedule set fault = '{"code": "x"}' where name = 'chaos-each'`,
  },
  {
    claim: 'a schedule fires from',
    finds: /^chaos-each was not paused/,
    sql: () => `update millrace.schedule set paused_at = null, paused_by = null where name = 'chaos-each'`,
  },
  {
    claim: 'a schedule fires from',
    finds: /^chaos-alone, defined at .* fired first/,
    sql: () =>
      `update millrace.firing set slot_at = slot_at + interval '6 seconds' where schedule_id = ${schedule('chaos-alone')}`,
  },
  {
    claim: 'a schedule fires from',
    finds: /^chaos-each, paused at .* fired last/,
    sql: () =>
      `update millrace.schedule set paused_at = paused_at + interval '10 seconds' where name = 'chaos-each'`,
  },
  {
    claim: 'each slot of a schedule that',
    finds: /^chaos-each .* missed for not_caught_up/,
    sql: ({ each1 }) =>
      `update millrace.firing set state = 'missed', reason = 'not_caught_up', run_id = null, started_at = null, ended_at = null where run_id = '${each1}'`,
  },
  {
    claim: 'each slot of a schedule that',
    finds: /^chaos-alone .* queued/,
    sql: () =>
      "update millrace.firing set state = 'queued', reason = null, closed_at = null where state = 'skipped'",
  },
  {
    claim: 'two runs of a schedule',
    finds: /^chaos-alone .* began at/,
    sql: ({ alone0 }) =>
      `update millrace.firing set ended_at = ended_at + interval '3 seconds' where run_id = '${alone0}'`,
  },
  {
    claim: 'two runs of a schedule',
    finds: /^chaos-alone .* was skipped/,
    sql: ({ alone0 }) =>
      `update millrace.firing set due_at = due_at - interval '1 minute', fired_at = fired_at - interval '1 minute', started_at = started_at - interval '1 minute', ended_at = started_at - interval '50 seconds' where run_id = '${alone0}'`,
  },
  {
    claim: 'the next due time of nothing',
    finds: /^task /,
    sql: ({ random }) =>
      `insert into millrace.task (handler, priority, run_id, step_id, ready_at) values (1, 5, '${random}', ${stepId}, now())`,
  },
  { claim: 'the next due time of nothing', finds: /^waiting task .* retry/, sql: parked('retry') },
  {
    claim: 'nothing of what has ended',
    finds: /^wait x /,
    sql: ({ random }) =>
      `insert into millrace.wait (run_id, step_id, name, place, attempt, kind, due_at, created_at) values ('${random}', ${stepId}, 'x', 0, 1, 'sleep', now(), now())`,
  },
  {
    claim: 'nothing of what has ended',
    finds: /^wait for signal x/,
    sql: ({ random }) => `insert into millrace.wait_signal values (1, 'x', 'next', '${random}')`,
  },
  {
    claim: 'nothing of what has ended',
    finds: /^join of/,
    sql: ({ random }) => `insert into millrace.join_state values ('${random}', 1, 1)`,
  },
  {
    claim: 'nothing of what has ended',
    finds: /^item of/,
    sql: ({ random }) => `insert into millrace.map_item values ('${random}', 1, 1)`,
  },
  {
    claim: 'nothing of what has ended',
    finds: /^cancellation of/,
    sql: ({ random }) => `insert into millrace.cancellation values ('${random}', 'x', now())`,
  },
  {
    claim: 'an attempt that ended by itself',
    finds: /^lock x of .* tx-2, attempt 1/,
    sql: ({ random }) =>
      `insert into millrace.lock_request (request, name, run_id, task_id, step_id, item, attempt, worker_id, asked_at)
       select gen_random_uuid(), 'x', run_id, 1, d.id, -1, attempt, worker_id, now()
         from millrace.attempt a join millrace.step_definition d using (step) where a.run_id = '${random}' and step = 'tx-2'`,
  },
  {
    claim: 'an attempt that ended by itself',
    finds: /^claim on x of .* tx-2, attempt 1/,
    sql: ({ random }) =>
      `insert into millrace.cache_claim (scope, key, run_id, task_id, step_id, attempt, worker_id, claimed_at)
       select 'x', 'x', run_id, 1, d.id, attempt, worker_id, now()
         from millrace.attempt a join millrace.step_definition d using (step) where a.run_id = '${random}' and step = 'tx-2'`,
  },
  { claim: 'I8 nobody is said to wait', finds: /^chaos-all x/, sql: () => limitState(0, true) },
  { claim: countsHold, finds: /"used":1,"count":0/, sql: () => limitState(1, false) },
  {
    claim: 'I8 at most 2 of a key',
    finds: /^1 at/,
    sql: atOnce('limited-0', "r.input ->> 'shop' = '1'"),
  },
  { claim: 'I8 at most 4 in all', finds: /^ at/, sql: atOnce('narrow-1') },
  { claim: 'I8 at most 1 of a key', finds: /^1 at/, sql: atOnce('turn', "r.input ->> 'lane' = '1'") },
  { claim: 'I8 at most 3 in all', finds: /^ at/, sql: atOnce('turn') },
]

test('the verdict finds nothing in a world in which nothing is broken', async () => {
  expect(await judged()).toEqual({ lost: 0, endedTwice: 0, duplicateEffects: 0, capsExceeded: 0, broken: [] })
})

test.each(offences.map((offence) => [`${offence.claim}: ${offence.finds.source}`, offence] as const))(
  'the verdict finds what breaks the claim that %s',
  async (_, { claim, finds, sql, acknowledged }) => {
    await one.query('begin')
    try {
      if (sql !== undefined) await one.query(sql(world.runs))
      const { broken } = await judged(acknowledged)
      const of = broken.filter((sentence) => sentence.startsWith(claim))
      const said = of.map((sentence) => sentence.slice(claimOf(claim).length + 2))
      expect(said).toContainEqual(expect.stringMatching(finds))
    } finally {
      await one.query('rollback')
    }
  },
)

test('an offence is planted for each question of the verdict, and for each part of one', () => {
  for (const { claim, offenders } of asked) {
    const parts = offenders.split(/\n {6}union all\n/).length
    const planted = offences.filter((offence) => claim.startsWith(offence.claim))
    expect(planted.length, claim).toBeGreaterThanOrEqual(parts)
  }
})

test('what was lost, ended twice, done twice or under way beyond a limit is counted', async () => {
  const countedAfter = async (finds: (offence: Offence) => boolean) => {
    const { sql, acknowledged } = offences.find(finds)!
    await one.query('begin')
    if (sql !== undefined) await one.query(sql(world.runs))
    const verdict = await judged(acknowledged)
    await one.query('rollback')
    return verdict
  }
  const of = (claim: string) => countedAfter((offence) => offence.claim.startsWith(claim))
  expect(await of('I1 ')).toMatchObject({ lost: 1 })
  expect(await of('I2 ')).toMatchObject({ endedTwice: 1 })
  expect(await of('I3 an effect in')).toMatchObject({ duplicateEffects: 1 })
  expect(await of('I8 at most 2')).toMatchObject({ capsExceeded: 2 })
})

/** In full. */
function claimOf(beginning: string): string {
  const whole = [countsHold, ...asked.map(({ claim }) => claim)].find((claim) => claim.startsWith(beginning))
  return whole ?? beginning
}
