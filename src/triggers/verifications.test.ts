// What a firing is expected to have done: asked of the database with nobody's rights but the worker's, until it is so or too late.
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { StoredExpectation } from '../core/expectation.ts'
import { poolCaller } from '../db/call.ts'
import { createLogin } from '../../test/login.ts'
import { openMeeting } from '../../test/meeting.ts'
import { workerFor, workerOf } from '../../test/pipeline-worker.ts'
import { chain, claim, complete, registerPipeline, startRun, type Worker } from '../../test/protocol.ts'
import { whileFaulty } from '../../test/faulty-runs.ts'
import { schedulerOn } from '../../test/schedules.ts'
import { createPool } from '../db/connection.ts'
import { takeVerifications, verifyFiring } from '../db/expectations.ts'
import { verificationTask } from './verifications.ts'

const { database, one } = await openMeeting()
const pool = createPool({ connectionString: database.url, connectionsMax: 3, readsOnly: true })
pool.on('error', () => {})
afterAll(() => pool.end())
const caller = poolCaller(database.pool, { prepare: false, database: 'test' })
const verify = verificationTask({ caller, handlerPool: pool })
const schedule = schedulerOn(database.pool)

let worker: Worker
let number = 0

beforeEach(async () => {
  await database.query('create table if not exists report (run_id uuid, day date, lines int)')
  await database.query('truncate report')
})

/** A firing whose run has just completed with this output. */
async function completed(expectation: StoredExpectation, withinMs = 60_000, output: unknown = { lines: 3 }) {
  const slug = `reports-${++number}`
  worker = await workerOf(database, slug, chain('only'))
  const settings = { every_ms: 3_600_000, expect: expectation, verify_within_ms: withinMs }
  await database.query('select millrace.define_schedule($1, $1, $2)', [slug, settings])
  const [fired] = await database.query<{ firing_id: string; run_id: string }>(
    'select firing_id, run_id from millrace.trigger_schedule($1)',
    [slug],
  )
  const [task] = await claim(database, worker, 1)
  await complete(database, worker, [{ task: task!, output }])
  return { id: fired!.firing_id, runId: fired!.run_id }
}

interface Seen {
  readonly state: string
  readonly verify_in_s: number | null
  readonly verification: Record<string, unknown> | null
  readonly is_closed: boolean
}

async function seen(firing: { readonly id: string }): Promise<Seen> {
  const [row] = await database.query<Seen>(
    `select state, round(extract(epoch from verify_at - millrace.now()))::int as verify_in_s, verification, closed_at is not null as is_closed
       from millrace.firing where id = $1`,
    [firing.id],
  )
  return row!
}

describe('RR-2 an expectation', () => {
  test('that is a query is given the slot, the run and its output, and passes when its one row is true', async () => {
    const firing = await completed({
      query: `select count(*) = ($3 ->> 'lines')::int from report where run_id = $2 and day = $1::date;`,
    })
    expect(await seen(firing)).toMatchObject({ state: 'completed', is_closed: false, verify_in_s: 0 })
    await database.query(
      `insert into report select $1, (millrace.now() at time zone current_setting('TimeZone'))::date, n from generate_series(1, 3) n`,
      [firing.runId],
    )
    expect(await verify()).toBe(false)
    expect(await seen(firing)).toMatchObject({
      state: 'verified',
      is_closed: true,
      verification: { met: true, value: true, looks: 1 },
    })
  })

  test('that is not met yet is looked at again, later each time, and fails at its deadline', async () => {
    const firing = await completed({ query: 'select * from report', rows: 2 })
    await database.query('insert into report (lines) values (1)')
    await verify()
    expect(await seen(firing)).toMatchObject({
      state: 'completed',
      verify_in_s: 1,
      verification: { rows: 1, looks: 1 },
    })
    await verify()
    expect((await seen(firing)).verification).toMatchObject({ looks: 1 })
    await database.clock.advance('20s')
    await verify()
    expect(await seen(firing)).toMatchObject({
      state: 'completed',
      verify_in_s: 20,
      verification: { looks: 2 },
    })
    await database.clock.advance('21s')
    await verify()
    expect(await seen(firing)).toMatchObject({
      state: 'completed',
      is_closed: false,
      verification: { looks: 3 },
    })
    await database.clock.advance('20s')
    await verify()
    expect(await seen(firing)).toMatchObject({
      state: 'unverified',
      is_closed: true,
      verification: { met: false, rows: 1, looks: 4 },
    })
    await database.query('insert into report (lines) values (1), (2)')
    await verify()
    expect(await seen(firing)).toMatchObject({ state: 'unverified' })
  })

  test('that comes true before its deadline is verified then', async () => {
    const firing = await completed({ query: 'select from report', rows: 2 })
    await verify()
    await database.query('insert into report (lines) values (1), (2), (3)')
    await database.clock.advance('5s')
    await verify()
    expect(await seen(firing)).toMatchObject({ state: 'verified', verification: { rows: 2, looks: 2 } })
  })

  test.each([
    ['no row', 'select true where false', { rows: 0 }],
    ['two rows', 'select true from generate_series(1, 5)', { rows: 'several' }],
    ['false', 'select 1 > 2', { value: false }],
    ['null', 'select null::boolean', { value: null }],
    ['a number', 'select 1', { error: { code: 'not_boolean' } }],
  ])('of which the query answers %s is not met', async (_, query, found) => {
    const firing = await completed({ query }, 0)
    await verify()
    expect(await seen(firing)).toMatchObject({ state: 'unverified', verification: { met: false, ...found } })
  })

  test.each([
    [{ output: ['lines'], at_least: 3 }, 'verified', { value: 3 }],
    [{ output: ['lines'], at_least: 4 }, 'unverified', { value: 3 }],
    [{ output: ['lines'], at_most: 2 }, 'unverified', { value: 3 }],
    [{ output: [], equals: { lines: 3 } }, 'verified', { value: { lines: 3 } }],
    [{ output: ['line', 'count'], equals: 3 }, 'unverified', { missing: 'line.count' }],
  ] as const)('on the output, %j, is judged at once: %s', async (expectation, state, found) => {
    const firing = await completed(expectation)
    await verify()
    expect(await seen(firing)).toMatchObject({ state, verification: found })
  })

  test('is compared with its nulls', async () => {
    const firing = await completed({ output: [], equals: { a: null } }, 0, { a: null })
    await verify()
    expect(await seen(firing)).toMatchObject({ state: 'verified' })
  })

  test('has its outcome in the history of the run, and counts as a failure of the schedule', async () => {
    const firing = await completed({ output: ['lines'], at_least: 9 })
    await verify()
    await database.query('select millrace.settle_firings()')
    const events = await database.query<{ kind: string }>(
      `select kind from millrace.event where run_id = $1 and kind like 'firing.%'`,
      [firing.runId],
    )
    expect(events).toEqual([{ kind: 'firing.unverified' }])
    const [schedule] = await database.query<{ failures: number }>(
      'select s.failures from millrace.schedule s join millrace.firing f on f.schedule_id = s.id where f.id = $1',
      [firing.id],
    )
    expect(schedule).toEqual({ failures: 1 })
  })
})

describe('PP-C9 a query that fails', () => {
  test('is no pass: it is asked again until the deadline, and kept with its error then', async () => {
    const firing = await completed({ query: 'select done from no_such_table' }, 10_000)
    await verify()
    expect(await seen(firing)).toMatchObject({
      state: 'completed',
      verification: { error: { code: '42P01' } },
    })
    await database.clock.advance('10s')
    await verify()
    const { state, verification } = await seen(firing)
    expect(state).toBe('unverified')
    expect(verification).toMatchObject({
      met: false,
      error: { code: '42P01', message: expect.stringContaining('no_such_table') as string },
    })
  })

  test.each([
    ['writes', `insert into report (lines) values (1) returning true`],
    ['writes through a function', `select report_written()`],
    ['divides by zero', 'select 1 / (lines - lines) = 1 from (values (1)) v(lines)'],
    ['is two statements', 'select true; delete from report'],
    ['leaves its parentheses', 'select true) as x); drop table report; (select * from (select true'],
    ['ends the transaction', 'commit'],
    ['takes a fourth parameter', 'select $4::boolean'],
  ])('because it %s leaves nothing behind, and neither does its connection', async (_, query) => {
    await database.query(`create or replace function report_written() returns boolean language sql as
      $$ insert into report (lines) values (7) returning true $$`)
    const firing = await completed({ query }, 0)
    const good = await completed({ query: 'select true' }, 0)
    await verify()
    expect(await seen(firing)).toMatchObject({
      state: 'unverified',
      verification: { error: { code: expect.any(String) as string } },
    })
    expect(await seen(good)).toMatchObject({ state: 'verified' })
    expect(await database.query('select * from report')).toEqual([])
    const left = await pool.query('select name from pg_prepared_statements')
    expect(left.rows).toEqual([])
  })
})

test('two who look at once settle a firing once, and one who is late settles nothing', async () => {
  const firing = await completed({ query: 'select true' })
  const taken = await Promise.all(
    [1, 2, 3].map(() => takeVerifications(caller, { leaseSeconds: 60, limit: 4 })),
  )
  const [mine] = taken.flat().filter(({ id }) => id === String(firing.id))
  expect(taken.flat().filter(({ id }) => id === String(firing.id))).toHaveLength(1)
  await database.clock.advance('61s')
  const [later] = await takeVerifications(caller, { leaseSeconds: 60, limit: 4 })
  const look = { isMet: true, found: {}, isFinal: false }
  expect(await verifyFiring(caller, mine!, look)).toBeNull()
  expect(await seen(firing)).toMatchObject({ state: 'completed' })
  expect(await verifyFiring(caller, later!, { ...look, isMet: false })).toBe('unverified')
  expect(await verifyFiring(caller, later!, look)).toBeNull()
})

test('a schedule whose query takes long, and waits for many looks, keeps no other from being looked at', async () => {
  const slow = { query: 'select pg_sleep(9) is null' }
  const long = await completed(slow, 600_000)
  await database.query(
    `insert into millrace.firing (schedule_id, slot_at, kind, overlap, state, run_id, due_at, fired_at, started_at, ended_at, fired_by, expect, verify_at)
     select f.schedule_id, f.slot_at - make_interval(mins => n), 'scheduled', f.overlap, f.state, f.run_id, f.due_at, f.fired_at, f.started_at, f.ended_at, f.fired_by,
            f.expect, f.verify_at - make_interval(mins => n)
       from millrace.firing f, generate_series(1, 20) n where f.id = $1`,
    [long.id],
  )
  const quick = await completed({ query: 'select true' }, 600_000)
  const taken = await takeVerifications(caller, { leaseSeconds: 60, limit: 4 })
  expect(taken.map(({ id }) => id)).toContain(String(quick.id))
  await database.query('update millrace.firing set verify_at = null where verify_at is not null')
  // No schedule leaves so many firings of one run.
  await database.query(
    'delete from millrace.firing f using millrace.firing long where long.id = $1 and f.run_id = long.run_id and f.id <> long.id',
    [long.id],
  )
})

test('what was found is kept in short', async () => {
  const firing = await completed({ output: ['text'], equals: 'x' }, 0, { text: 'y'.repeat(5_000) })
  await verify()
  const { verification } = await seen(firing)
  expect(JSON.stringify(verification).length).toBeLessThan(1_500)
})

test('a long path to what is not there is kept in short', async () => {
  const firing = await completed({ output: Array<string>(20).fill('y'.repeat(600)), equals: 'x' }, 0)
  await verify()
  const { state, verification } = await seen(firing)
  expect(state).toBe('unverified')
  expect(verification?.missing).toHaveLength(1_000)
})

test('what was found is kept in short also where a character would be cut in two', async () => {
  const firing = await completed({ output: ['text'], equals: 'x' }, 0, {
    text: `${'y'.repeat(998)}😀${'z'.repeat(100)}`,
  })
  await verify()
  expect(await seen(firing)).toMatchObject({ state: 'unverified', is_closed: true })
})

test('a query has the rights of the worker and no others, and an operator without these rights may not write one', async () => {
  const login = await createLogin(database, 'millrace_worker')
  const limited = createPool({ connectionString: login.url, connectionsMax: 2 })
  limited.on('error', () => {})
  try {
    const firing = await completed({ query: 'select count(*) = 0 from report' }, 0)
    const own = poolCaller(limited, { prepare: false, database: 'test' })
    await verificationTask({ caller: own, handlerPool: limited })()
    expect(await seen(firing)).toMatchObject({
      state: 'unverified',
      verification: { error: { code: '42501' } },
    })
  } finally {
    await limited.end()
    await login.close()
  }
  const operator = await createLogin(database, 'millrace_operator')
  const client = createPool({ connectionString: operator.url, connectionsMax: 1 })
  client.on('error', () => {})
  const define = (expectation: StoredExpectation, every_ms = 60_000) =>
    client.query('select millrace.define_schedule($1, $2, $3)', [
      'ours',
      `reports-${number}`,
      { every_ms, expect: expectation },
    ])
  try {
    await expect(define({ query: 'select true' })).rejects.toMatchObject({
      code: 'MR101',
      hint: expect.stringContaining('in code') as string,
    })
    await define({ output: ['lines'], at_least: 1 })
    await database.query('select millrace.define_schedule($1, $2, $3)', [
      'ours',
      `reports-${number}`,
      { every_ms: 60_000, expect: { query: 'select true' } },
    ])
    await define({ query: 'select true' }, 120_000)
    await expect(define({ query: 'select false' })).rejects.toMatchObject({ code: 'MR101' })
  } finally {
    await client.end()
    await operator.close()
  }
})

describe('what is queued behind a run that is not verified yet', () => {
  const settings = {
    every_ms: 3_600_000,
    overlap: 'queue_all',
    input: { account: 7 },
    expect: { query: 'select false' },
    verify_within_ms: 21_600_000,
  }

  /** Of a pipeline with a run key: a run that is live, and one that is queued behind it. */
  async function openQueue(slug: string) {
    await registerPipeline(database, slug, chain('only'), [['account']])
    await database.query('select millrace.define_schedule($1, $1, $2)', [slug, settings])
    const [live] = await trigger(slug)
    await trigger(slug)
    return { worker: await workerFor(database, slug), live: live!.run_id }
  }

  const trigger = (slug: string) =>
    database.query<{ run_id: string }>('select run_id from millrace.trigger_schedule($1)', [slug])

  const endOne = async (server: Worker) => {
    const [task] = await claim(database, server, 1)
    await complete(database, server, [{ task: task! }])
  }

  const states = async (slug: string, kind = 'triggered') =>
    (
      await database.query<{ state: string }>(
        `select f.state from millrace.firing f join millrace.schedule s on s.id = f.schedule_id where s.name = $1 and f.kind = $2 order by f.slot_at`,
        [slug, kind],
      )
    ).map(({ state }) => state)

  const looks = async (slug: string) => {
    const [row] = await database.query<{ looks: number | null }>(
      `select (f.verification ->> 'looks')::int as looks from millrace.firing f join millrace.schedule s on s.id = f.schedule_id
        where s.name = $1 and f.state = 'completed'`,
      [slug],
    )
    return row!.looks
  }

  /** What other tests left is looked at as well. */
  const verifyAll = async () => {
    for (let turn = 0; turn < 100 && (await verify()); turn++);
  }

  test('begins with the first look, one after another, and so does what is backfilled beside it', async () => {
    const slug = `queued-${++number}`
    const server = await workerOf(database, slug, chain('only'))
    await database.query('select millrace.define_schedule($1, $1, $2)', [slug, settings])
    for (let fired = 0; fired < 3; fired++) await trigger(slug)
    await endOne(server)
    await verify()
    expect(await states(slug)).toEqual(['completed', 'started', 'queued'])
    await database.query(
      `select millrace.backfill_schedule($1, array[millrace.now() - interval '2 hours', millrace.now() - interval '1 hour'])`,
      [slug],
    )
    expect(await states(slug, 'backfill')).toEqual(['started', 'queued'])
    for (let ended = 0; ended < 2; ended++) await endOne(server)
    await verify()
    expect(await states(slug)).toEqual(['completed', 'completed', 'started'])
    expect(await states(slug, 'backfill')).toEqual(['completed', 'started'])
  })

  test('is tried again a second later where an open transaction holds its run key, and keeps nobody from looking', async () => {
    const slug = `queued-${++number}`
    const { worker: server } = await openQueue(slug)
    await endOne(server)
    await one.query('begin')
    await startRun(one, slug, { account: 7 })
    await verify()
    expect(await looks(slug)).toBe(1)
    expect(await states(slug)).toEqual(['completed', 'queued'])
    await one.query('rollback')
    await database.clock.advance('1s')
    await schedule()
    expect(await states(slug)).toEqual(['completed', 'started'])
  })

  test.each(['XX001', '58030', '55006'])(
    'keeps nobody else from being looked at and from beginning where its start meets %s, and is tried again a second later',
    async (state) => {
      const [faulty, sound] = [`queued-${++number}`, `queued-${++number}`]
      for (const slug of [faulty, sound]) {
        const { worker: server } = await openQueue(slug)
        await endOne(server)
      }
      await whileFaulty(database, { slug: faulty, state, write: 'insert' }, async () => {
        await verifyAll()
        expect(await looks(faulty)).toBe(1)
        expect(await looks(sound)).toBe(1)
        expect(await states(faulty)).toEqual(['completed', 'queued'])
        expect(await states(sound)).toEqual(['completed', 'started'])
      })
      await database.clock.advance('1s')
      await schedule()
      expect(await states(faulty)).toEqual(['completed', 'started'])
    },
  )

  test('begins also where that run is deleted before anybody has looked', async () => {
    const slug = `queued-${++number}`
    const { worker: server, live } = await openQueue(slug)
    await endOne(server)
    await database.query('select millrace.delete_run($1)', [live])
    expect(await states(slug)).toEqual(['started'])
  })

  /** Its schedule is at somebody's hand when its run has just ended, and the time stands. */
  async function openAtHand(slug: string) {
    const { worker: server } = await openQueue(slug)
    await database.clock.freeze()
    await endOne(server)
    await one.query('begin')
    await one.query('select from millrace.schedule where name = $1 for update', [slug])
    await verifyAll()
  }

  test('begins, and is looked at, as soon as nobody has its schedule at hand any more', async () => {
    const slug = `queued-${++number}`
    await openAtHand(slug)
    await one.query('rollback')
    await verifyAll()
    expect(await states(slug)).toEqual(['completed', 'started'])
    expect(await looks(slug)).toBe(1)
  })

  test('keeps nobody from looking for more than a second where somebody has its schedule at hand for long', async () => {
    const slug = `queued-${++number}`
    await openAtHand(slug)
    await database.clock.advance('1s')
    await verifyAll()
    expect(await looks(slug)).toBe(1)
    expect(await states(slug)).toEqual(['completed', 'queued'])
    await one.query('rollback')
  })
})
