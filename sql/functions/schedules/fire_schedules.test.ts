// Any number of schedulers on one database: each slot has one firing, what can't start keeps nobody else from starting, and nothing is lost.
import pg from 'pg'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  chain,
  claim,
  claimOne,
  complete,
  connect,
  promote,
  registerPipeline,
  registerWorker,
  runOf,
  startRun,
  sweep,
  workOff,
} from '../../../test/protocol.ts'
import { park } from '../../../test/waiting.ts'
import { defineStartRule } from '../../../test/start-rules.ts'
import { whileFaulty } from '../../../test/faulty-runs.ts'
import { defineSchedule, firingsOf, schedulerOn } from '../../../test/schedules.ts'
import { poolCaller } from '../../../src/db/call.ts'
import { readHealth } from '../../../src/db/health.ts'
import { scheduleTasks } from '../../../src/triggers/schedules.ts'

const { database, one, other } = await openMeeting()
const schedule = schedulerOn(database.pool)

afterEach(async () => {
  await database.query(
    'select millrace.remove_schedule(s.name) from millrace.schedule s where s.retired_at is null',
  )
})

const beginning = new Date('2026-11-02T00:00:00.000Z')

/** The time stands at a whole hour, from which slots are counted; what other tests left has gone by then. */
async function openHour(slug: string): Promise<Date> {
  const now = await database.clock.now()
  const hour = new Date(Math.ceil(now.getTime() / 3_600_000) * 3_600_000)
  await database.clock.freeze(hour)
  await registerPipeline(database, slug, chain('only'))
  return hour
}

/** A worker that serves one pipeline alone. */
async function openWorker(slug: string, key: string[][] = []) {
  const { steps } = await registerPipeline(database, slug, chain('only'), key)
  return registerWorker(database, { handlers: steps.map(({ handler }) => handler) })
}

test('D4 a slot each second for a day, three schedulers of which one is killed again and again: one firing for each slot', async () => {
  const hour = await openHour('killed')
  const worker = await openWorker('killed')
  const everySecond = {
    every_ms: 1_000,
    every_from: beginning.toISOString(),
    catch_up: 'all',
    catch_up_max: 1_000,
  }
  await defineSchedule(database, 'killed', 'killed', everySecond)
  const schedulers = await Promise.all([openScheduler(), openScheduler(), openScheduler()])
  onTestFinished(async () => {
    await Promise.all(schedulers.map(({ end }) => end()))
  })
  const step_ms = 900_000
  for (let step = 1; step <= 86_400_000 / step_ms; step++) {
    await database.clock.freeze(new Date(hour.getTime() + step * step_ms))
    // What the killed one has begun is rolled back or committed, and nobody is told which.
    const turns = schedulers.map(({ turn }) => turn().catch(() => {}))
    const dead = step % 3
    await schedulers[dead]!.kill()
    await Promise.all(turns)
    await schedule()
    await workOff(database, worker)
    await schedulers[dead]!.end()
    schedulers[dead] = await openScheduler()
  }
  const [found] = await database.query(
    `select count(*)::int as firings, count(distinct slot_at)::int as slots, sum(slots)::int as counted, min(slot_at) as first, max(slot_at) as last,
            count(run_id) = count(distinct run_id) as has_own_runs, count(run_id) > 90 as has_runs
       from millrace.firing f join millrace.schedule s on s.id = f.schedule_id where s.name = 'killed'`,
  )
  expect(found).toEqual({
    firings: 86_400,
    slots: 86_400,
    counted: 86_400,
    first: new Date(hour.getTime() + 1_000),
    last: new Date(hour.getTime() + 86_400_000),
    has_own_runs: true,
    has_runs: true,
  })
}, 240_000)

let opened = 0

async function openScheduler() {
  const name = `scheduler ${++opened}`
  const pool = new pg.Pool({ connectionString: database.url, max: 1, application_name: name })
  pool.on('error', () => {})
  await pool.query('select 1')
  return {
    turn: schedulerOn(pool),
    /** As the death of its process: the server ends what it had under way. */
    kill: () =>
      database.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
        name,
      ]),
    end: () => pool.end(),
  }
}

test('D5 a run that ends just while its schedule is evaluated moves the cadence on once, and skips no slot', async () => {
  const hour = await openHour('meeting')
  await defineSchedule(database, 'meeting', 'meeting', {
    every_ms: 60_000,
    every_from: beginning.toISOString(),
    overlap: 'queue_one',
  })
  await schedule()
  const at = (minutes: number) => database.clock.freeze(new Date(hour.getTime() + minutes * 60_000))
  await at(1)
  await schedule()
  const worker = await openWorker('meeting')
  const task = await claimOne(database, worker)
  await at(2)
  // Its end is not committed yet when the next slot is judged: so that one is queued, and begins once the end is told.
  await one.query('begin')
  await complete(one, worker, [{ task }])
  await schedule()
  expect(await firingsOf(database, 'meeting', hour)).toMatchObject([
    { at: 60, state: 'started' },
    { at: 120, state: 'queued' },
  ])
  await one.query('commit')
  await schedule()
  expect(await firingsOf(database, 'meeting', hour)).toMatchObject([
    { at: 60, state: 'completed' },
    { at: 120, state: 'started' },
  ])
  await workOff(database, worker)
  await at(3)
  await schedule()
  expect(await firingsOf(database, 'meeting', hour)).toMatchObject([
    { at: 60, state: 'completed' },
    { at: 120, state: 'completed' },
    { at: 180, state: 'started' },
  ])
})

test('D10 after three days without a scheduler each schedule catches up as it says, and there is no storm', async () => {
  const hour = await openHour('down')
  const settings = {
    every_ms: 60_000,
    every_from: beginning.toISOString(),
    overlap: 'allow',
    catch_up_window_ms: 30 * 86_400_000,
  }
  await defineSchedule(database, 'down-none', 'down', { ...settings, catch_up: 'none' })
  await defineSchedule(database, 'down-last', 'down', { ...settings, catch_up: 'last' })
  await defineSchedule(database, 'down-all', 'down', {
    ...settings,
    catch_up: 'all',
    catch_up_max: 5,
    stagger_ms: 60_000,
  })
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 3 * 86_400_000 + 30_000))
  await schedule()
  const firings = await firingsOf(database, 'down-%', hour)
  const slotsOf = (name: string, what: string) =>
    firings
      .filter((row) => row.name === name && (row.reason ?? row.kind) === what)
      .reduce((sum, { slots }) => sum + slots, 0)
  expect(slotsOf('down-none', 'not_caught_up')).toBe(4_319)
  expect(slotsOf('down-none', 'scheduled')).toBe(1)
  expect(slotsOf('down-last', 'not_caught_up')).toBe(4_319)
  expect(slotsOf('down-all', 'too_many')).toBe(4_314)
  expect(slotsOf('down-all', 'catch_up')).toBe(5)
  expect(firings.length).toBeLessThan(40)
  const runs = await database.query(
    `select available_at from millrace.run where slug = 'down' order by available_at`,
  )
  expect(runs).toHaveLength(1 + 1 + 6)
  expect(runs.filter(({ available_at }) => available_at !== null)).toHaveLength(4)
})

test('B2 a scheduler that dies between reading and writing leaves nothing behind, and the next one fires the slot', async () => {
  const hour = await openHour('died')
  await defineSchedule(database, 'died', 'died', { every_ms: 60_000, every_from: beginning.toISOString() })
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 60_000))
  const dying = await connect(database)
  await dying.query('begin')
  const [evaluation] = await dying.query(
    `select jsonb_build_array(jsonb_build_object('schedule', s.id, 'revision', s.revision, 'from', s.evaluated_at, 'to', $1::timestamptz,
       'next', null, 'fault', null, 'firings', jsonb_build_array(jsonb_build_object('slot', $1::timestamptz, 'until', $1::timestamptz,
       'slots', 1, 'kind', 'scheduled', 'reason', null, 'begins', null)))) as told from millrace.schedule s where s.name = 'died'`,
    [new Date(hour.getTime() + 60_000)],
  )
  const told = JSON.stringify(evaluation!['told'])
  expect(await dying.query('select millrace.fire_schedules($1) as held', [told])).toEqual([{ held: 1 }])
  // Another one that comes meanwhile waits for nobody, and finds nothing to do.
  await schedule()
  expect(await firingsOf(database, 'died', hour)).toEqual([])
  await dying.end()
  await schedule()
  expect(await firingsOf(database, 'died', hour)).toMatchObject([{ at: 60, state: 'started' }])
  // What was read before holds no more.
  expect(await database.query('select millrace.fire_schedules($1) as held', [told])).toEqual([{ held: 0 }])
  expect(await firingsOf(database, 'died', hour)).toHaveLength(1)
})

test('a schedule that cannot start its run says why, and keeps none of the others from firing', async () => {
  const hour = await openHour('good')
  await registerPipeline(database, 'keyed', chain('only'), [['account']])
  await registerPipeline(database, 'stopped', chain('only'))
  const settings = { every_ms: 60_000, every_from: beginning.toISOString() }
  await defineSchedule(database, 'among-1-good', 'good', settings)
  await defineSchedule(database, 'among-2-nokey', 'keyed', { ...settings, input: { other: 1 } })
  await defineSchedule(database, 'among-3-live', 'keyed', { ...settings, input: { account: 7 } })
  await defineSchedule(database, 'among-4-paused', 'stopped', settings)
  await defineSchedule(database, 'among-5-unreadable', 'good', { cron: '0 99 * * *' })
  await defineSchedule(database, 'among-6-good', 'good', settings)
  await schedule()
  const live = await startRun(database, 'keyed', { account: 7 })
  await database.query(`select millrace.pause_pipeline('stopped')`)
  await database.clock.freeze(new Date(hour.getTime() + 60_000))
  await schedule()
  expect(await firingsOf(database, 'among-%', hour)).toMatchObject([
    { name: 'among-1-good', state: 'started' },
    {
      name: 'among-2-nokey',
      state: 'failed',
      reason: 'no_start',
      error: { message: expect.stringMatching(/account/) as string },
    },
    { name: 'among-3-live', state: 'skipped', reason: 'refused', refusal: 'live' },
    { name: 'among-4-paused', state: 'skipped', reason: 'paused' },
    { name: 'among-6-good', state: 'started' },
  ])
  const [blocked] = await database.query(`select blocked_by from millrace.firing where refusal = 'live'`)
  expect(blocked).toEqual({ blocked_by: live.run_id })
  const [faulty] = await database.query(
    `select fault ->> 'message' as fault, due_at, next_slot_at from millrace.schedule where name = 'among-5-unreadable'`,
  )
  expect(faulty).toEqual({
    fault: expect.stringContaining('position 3') as string,
    due_at: null,
    next_slot_at: null,
  })
})

/** A schedule each minute whose start an open transaction of `one` holds up, and one that nobody does; their names begin alike. */
async function openHeldUp(name: string, overlap = 'skip'): Promise<Date> {
  const hour = await openHour(`${name}-free`)
  await registerPipeline(database, `${name}-held`, chain('only'), [['account']])
  const settings = { every_ms: 60_000, every_from: beginning.toISOString(), overlap }
  await defineSchedule(database, `${name}-1`, `${name}-held`, { ...settings, input: { account: 7 } })
  await defineSchedule(database, `${name}-2`, `${name}-free`, settings)
  await schedule()
  return hour
}

async function holdUp(name: string): Promise<void> {
  await one.query('begin')
  await startRun(one, `${name}-held`, { account: 7 })
}

test('a start that waits for what an open transaction holds keeps none of the others from firing, and its slot fires once that has ended', async () => {
  const hour = await openHeldUp('waits')
  await holdUp('waits')
  await database.clock.freeze(new Date(hour.getTime() + 60_000))
  await schedule()
  expect(await firingsOf(database, 'waits-%', hour)).toMatchObject([{ name: 'waits-2', state: 'started' }])
  await one.query('rollback')
  await database.clock.freeze(new Date(hour.getTime() + 61_000))
  await schedule()
  expect(await firingsOf(database, 'waits-%', hour)).toMatchObject([
    { name: 'waits-1', at: 60, state: 'started' },
    { name: 'waits-2', at: 60, state: 'started' },
  ])
})

test('a schedule that is tried again each second, since its start is held up, is told as overdue after a minute', async () => {
  const hour = await openHeldUp('tried')
  await holdUp('tried')
  for (const seconds of [60, 119]) {
    await database.clock.freeze(new Date(hour.getTime() + seconds * 1_000))
    await schedule()
  }
  const caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
  expect(await readHealth(caller)).toMatchObject({ overdue_firings: 0 })
  await database.clock.freeze(new Date(hour.getTime() + 121_000))
  expect(await readHealth(caller)).toMatchObject({ overdue_firings: 1 })
  await one.query('rollback')
})

test('a queued start that waits for what an open transaction holds keeps none of the others queued, and begins once that has ended', async () => {
  const hour = await openHeldUp('queued', 'queue_one')
  for (const minutes of [1, 2]) {
    await database.clock.freeze(new Date(hour.getTime() + minutes * 60_000))
    await schedule()
  }
  await workOff(database, await openWorker('queued-free'))
  await workOff(database, await openWorker('queued-held', [['account']]))
  await holdUp('queued')
  await schedule()
  expect(await firingsOf(database, 'queued-%', hour)).toMatchObject([
    { name: 'queued-1', at: 60, state: 'completed' },
    { name: 'queued-1', at: 120, state: 'queued' },
    { name: 'queued-2', at: 60, state: 'completed' },
    { name: 'queued-2', at: 120, state: 'started' },
  ])
  await one.query('rollback')
  await schedule()
  expect((await firingsOf(database, 'queued-1', hour)).map(({ state }) => state)).toEqual([
    'completed',
    'started',
  ])
})

test.each(['XX001', '58030', '55006'])(
  'a start that meets %s keeps none of the others from firing, queued or not, and is tried again a second later',
  async (state) => {
    const name = `faulty-${state.toLowerCase()}`
    const hour = await openHeldUp(name, 'queue_one')
    for (const minutes of [1, 2]) {
      await database.clock.freeze(new Date(hour.getTime() + minutes * 60_000))
      await schedule()
    }
    await workOff(database, await openWorker(`${name}-free`))
    await workOff(database, await openWorker(`${name}-held`, [['account']]))
    await whileFaulty(database, { slug: `${name}-held`, state, write: 'insert' }, async () => {
      await schedule()
      expect((await firingsOf(database, `${name}-%`, hour)).map(({ state }) => state)).toEqual([
        ...['completed', 'queued'],
        ...['completed', 'started'],
      ])
      await workOff(database, await openWorker(`${name}-free`))
      await database.clock.freeze(new Date(hour.getTime() + 180_000))
      await schedule()
      expect(await firingsOf(database, `${name}-2`, hour)).toMatchObject([
        ...[{ at: 60 }, { at: 120 }],
        { at: 180, state: 'started' },
      ])
    })
    await database.clock.freeze(new Date(hour.getTime() + 181_000))
    await schedule()
    expect((await firingsOf(database, `${name}-1`, hour)).map(({ at, state }) => [at, state])).toEqual([
      [60, 'completed'],
      [120, 'started'],
      [180, 'queued'],
    ])
  },
)

/** The test fails, and does not hang, where this waits for as long as somebody likes. */
async function soon<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  await other.query("set statement_timeout = '5s'")
  try {
    return await other.query<Row>(text)
  } finally {
    await other.query('reset statement_timeout')
  }
}

test.each([
  ['triggered', `select state from millrace.trigger_schedule('triggered-1')`],
  [
    'backfilled',
    `select queued from millrace.backfill_schedule('backfilled-1', array[millrace.now() - interval '1 hour'])`,
  ],
])(
  'what is %s waits for no open transaction that holds its start up, but for the next second',
  async (name, call) => {
    const hour = await openHeldUp(name)
    await holdUp(name)
    await soon(call)
    expect((await firingsOf(database, `${name}-1`, hour)).map(({ state }) => state)).toEqual(['queued'])
    await one.query('rollback')
    await database.clock.freeze(new Date(hour.getTime() + 1_000))
    await schedule()
    expect((await firingsOf(database, `${name}-1`, hour)).map(({ state }) => state)).toEqual(['started'])
  },
)

test('what is queued waits for no open transaction when its schedule is resumed, but for the next second', async () => {
  const hour = await openHeldUp('resumed', 'queue_one')
  for (const minutes of [1, 2]) {
    await database.clock.freeze(new Date(hour.getTime() + minutes * 60_000))
    await schedule()
  }
  await database.query(`select millrace.pause_schedule('resumed-1')`)
  await workOff(database, await openWorker('resumed-held', [['account']]))
  await schedule()
  await holdUp('resumed')
  expect(await soon(`select millrace.resume_schedule('resumed-1') as resumed`)).toEqual([{ resumed: true }])
  await one.query('rollback')
  await database.clock.freeze(new Date(hour.getTime() + 121_000))
  await schedule()
  expect((await firingsOf(database, 'resumed-1', hour)).map(({ state }) => state)).toEqual([
    'completed',
    'started',
  ])
})

/** Resolves once a trigger waits for a lock that it did not ask for in the first half second. */
async function untilTriedInVain(): Promise<void> {
  let waiting: unknown[] = []
  while (waiting.length === 0) {
    waiting = await database.query(
      `select from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where not l.granted and l.waitstart > a.query_start + interval '500 ms' and a.query like '%trigger_schedule%'`,
    )
  }
}

test('a schedule that is paused and triggered waits, since nobody would try again', async () => {
  await openHeldUp('stands')
  await database.query(`select millrace.pause_schedule('stands-1')`)
  await holdUp('stands')
  const triggered = other.query(`select state from millrace.trigger_schedule('stands-1')`)
  await untilTriedInVain()
  await one.query('rollback')
  expect(await triggered).toEqual([{ state: 'started' }])
})

test('a schedule that one machine could not read fires again once it is defined again, as it was or corrected', async () => {
  const hour = await openHour('misread')
  const settings = { cron: '* * * * *', timezone: 'Europe/Berlin' }
  await defineSchedule(database, 'misread', 'misread', settings)
  await schedule()
  // Another machine lacks the zone.
  await database.query(
    `select millrace.fire_schedules(jsonb_build_array(jsonb_build_object('schedule', s.id, 'revision', s.revision, 'from', s.evaluated_at, 'to', s.evaluated_at,
       'fault', '{"code": "schedule_invalid", "message": "no such zone"}'::jsonb, 'firings', '[]'::jsonb)))
       from millrace.schedule s where s.name = 'misread'`,
  )
  expect(await defineSchedule(database, 'misread', 'misread', settings)).toBe(2)
  await defineSchedule(database, 'misspelt', 'misread', { ...settings, timezone: 'Europe/Berln' })
  await defineSchedule(database, 'misspelt', 'misread', settings)
  await database.clock.freeze(new Date(hour.getTime() + 60_000))
  await schedule()
  expect(await firingsOf(database, 'mis%', hour)).toMatchObject([
    { name: 'misread', at: 60, state: 'started' },
    { name: 'misspelt', at: 60, state: 'started' },
  ])
})

test('a faulty schedule that is corrected fires by its new times from then on; defined again as it was, it goes on where it had stopped', async () => {
  const hour = await openHour('corrected')
  await defineSchedule(database, 'corrected', 'corrected', { cron: '0 99 * * *' })
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 6 * 3_600_000 + 1_000))
  await defineSchedule(database, 'corrected', 'corrected', { cron: '0 * * * *' })
  await schedule()
  expect(await firingsOf(database, 'corrected', hour)).toEqual([])
  await database.clock.freeze(new Date(hour.getTime() + 7 * 3_600_000))
  await schedule()
  expect(await firingsOf(database, 'corrected', hour)).toMatchObject([{ at: 25_200, state: 'started' }])
  await database.query(
    `update millrace.schedule set fault = '{"code": "schedule_invalid", "message": "no such zone"}', due_at = null where name = 'corrected'`,
  )
  await database.clock.freeze(new Date(hour.getTime() + 9 * 3_600_000))
  await defineSchedule(database, 'corrected', 'corrected', { cron: '0 * * * *' })
  await schedule()
  expect((await firingsOf(database, 'corrected', hour)).map(({ at }) => at)).toContain(28_800)
})

test('of two slots that fall due together, and replace each other, the later one alone begins', async () => {
  const hour = await openHour('replaced')
  await defineSchedule(database, 'replaced', 'replaced', {
    every_ms: 1_000,
    every_from: beginning.toISOString(),
    overlap: 'cancel_other',
  })
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 3_000))
  await schedule()
  expect(await firingsOf(database, 'replaced', hour)).toMatchObject([
    { at: 1, state: 'skipped', reason: 'overlap' },
    { at: 2, state: 'skipped', reason: 'overlap' },
    { at: 3, state: 'started' },
  ])
})

test('a firing that takes the place of two runs begins only once both have ended, and no handler of either is at work', async () => {
  const hour = await openHour('two')
  const worker = await openWorker('two')
  await defineSchedule(database, 'two', 'two', { every_ms: 3_600_000, overlap: 'cancel_other' })
  const trigger = async (second: number, overlap: string | null = null) => {
    await database.clock.freeze(new Date(hour.getTime() + second * 1_000))
    const [row] = await database.query<{ run_id: string }>(
      `select run_id from millrace.trigger_schedule('two', overlap => $1)`,
      [overlap],
    )
    return row!.run_id
  }
  const replaced = [await trigger(1, 'allow'), await trigger(2, 'allow')]
  const [parked, held] = await claim(database, worker, 2)
  await park(database, worker, [{ task: parked!, waits: [{ name: 'nap', kind: 'sleep', ms: 60_000 }] }])
  const newcomer = await trigger(3)
  for (let turn = 0; turn < 2; turn++) await sweep(database)
  await promote(database)
  expect(await claim(database, worker, 10)).toEqual([])
  expect((await runOf(database, parked!.run_id)).state).toBe('cancelled')
  expect(replaced).toContain(held!.run_id)
  await complete(database, worker, [{ task: held! }])
  for (let turn = 0; turn < 2; turn++) await sweep(database)
  await promote(database)
  const begun = await claim(database, worker, 10)
  expect(begun.map(({ run_id }) => run_id)).toEqual([newcomer])
  await complete(database, worker, [{ task: begun[0]! }])
})

test('of firings that begin together, one by one since another one can not, none takes the place of another', async () => {
  const hour = await openHour('together')
  await defineStartRule(database, 'together', 'throttle', {
    kind: 'throttle',
    key: [['account']],
    starts: 1_000,
    per_ms: 60_000,
  })
  await registerPipeline(database, 'together-keyed', chain('only'), [['account']])
  await defineSchedule(database, 'together', 'together', { every_ms: 3_600_000, input: { account: 7 } })
  await defineSchedule(database, 'together-keyless', 'together-keyed', {
    every_ms: 60_000,
    every_from: beginning.toISOString(),
  })
  const trigger = async (overlap: string) => {
    const [row] = await database.query<{ state: string; run_id: string }>(
      `select state, run_id from millrace.trigger_schedule('together', overlap => $1)`,
      [overlap],
    )
    return row!
  }
  const live = await trigger('skip')
  await database.clock.freeze(new Date(hour.getTime() + 59_000))
  await one.query('begin')
  await startRun(one, 'together', { account: 7 })
  for (const overlap of ['cancel_other', 'allow']) {
    expect(await trigger(overlap)).toMatchObject({ state: 'queued' })
  }
  await one.query('rollback')
  await database.clock.freeze(new Date(hour.getTime() + 60_000))
  await schedule()
  expect((await firingsOf(database, 'together%', hour)).map(({ name, state }) => [name, state])).toEqual([
    ['together', 'started'],
    ['together', 'started'],
    ['together', 'started'],
    ['together-keyless', 'failed'],
  ])
  const cancelled = await database.query(
    `select c.run_id from millrace.cancellation c join millrace.run r on r.id = c.run_id where r.slug = 'together'`,
  )
  expect(cancelled).toEqual([{ run_id: live.run_id }])
})

test('what waits for a run begins also where that run is cancelled and deleted before anybody has looked', async () => {
  const hour = await openHour('deleted')
  await defineSchedule(database, 'deleted', 'deleted', {
    every_ms: 3_600_000,
    every_from: hour.toISOString(),
    overlap: 'queue_one',
  })
  const [live] = await database.query<{ run_id: string }>(
    `select run_id from millrace.trigger_schedule('deleted')`,
  )
  await database.clock.freeze(new Date(hour.getTime() + 1_000))
  expect(await database.query(`select state from millrace.trigger_schedule('deleted')`)).toEqual([
    { state: 'queued' },
  ])
  await database.query('select millrace.cancel_run($1)', [live!.run_id])
  await database.query('select millrace.delete_run($1)', [live!.run_id])
  await schedule()
  expect(await firingsOf(database, 'deleted', hour)).toMatchObject([{ state: 'started' }])
})

test('schedules that are long overdue are evaluated in parts, so that a worker is never away for long', async () => {
  const hour = await openHour('overdue')
  const names = Array.from({ length: 250 }, (_, index) => `overdue-${index}`)
  await Promise.all(
    names.map((name) => defineSchedule(database, name, 'overdue', { cron: '* * * * * *', catch_up: 'none' })),
  )
  await database.clock.freeze(new Date(hour.getTime() + 3 * 86_400_000))
  const evaluate = new Map(
    scheduleTasks(poolCaller(database.pool, { prepare: false, database: 'the test database' })),
  ).get('schedule')!
  expect(await evaluate()).toBe(true)
  const [row] = await database.query<{ moved: number }>(
    `select count(*)::int as moved from millrace.schedule where name like 'overdue-%' and evaluated_at > $1`,
    [hour],
  )
  expect(row!.moved).toBeGreaterThan(0)
  expect(row!.moved).toBeLessThan(names.length)
})

/** Schedules of each second that begin all slots of these which nobody was there for. */
async function openCatchUp(slug: string, schedules: number): Promise<Date> {
  const hour = await openHour(slug)
  const all = { catch_up: 'all', catch_up_max: 1_000, overlap: 'allow' }
  for (let number = 1; number <= schedules; number++) {
    await defineSchedule(database, `${slug}-${number}`, slug, {
      ...all,
      every_ms: 1_000,
      every_from: beginning,
    })
  }
  return hour
}

test('schedules that bring a thousand starts are evaluated in parts as well', async () => {
  const hour = await openCatchUp('caught', 3)
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 1_000_000))
  const evaluate = new Map(
    scheduleTasks(poolCaller(database.pool, { prepare: false, database: 'the test database' })),
  ).get('schedule')!
  expect(await evaluate()).toBe(true)
  expect(await firingsOf(database, 'caught-%', hour)).toHaveLength(1_000)
  await schedule()
  expect(await firingsOf(database, 'caught-%', hour)).toHaveLength(3_000)
})

test('more starts than one call takes begin a thousand at a time, and not one by one', async () => {
  const hour = await openCatchUp('many', 11)
  await database.clock.freeze(new Date(hour.getTime() + 1_000_000))
  await database.query(
    `select millrace.fire_schedules(jsonb_agg(jsonb_build_object('schedule', s.id, 'revision', s.revision, 'from', s.evaluated_at, 'to', millrace.now(),
       'firings', (select jsonb_agg(jsonb_build_object('slot', $1::timestamptz + n * interval '1 second', 'slots', 1, 'kind', 'catch_up'))
                     from generate_series(1, 1000) n))))
       from millrace.schedule s where s.name like 'many-%'`,
    [hour],
  )
  // What begins together has one number of a transaction.
  const [begun] = await database.query(
    `select count(*)::int as runs, count(distinct xmin::text)::int as batches from millrace.run where slug = 'many'`,
  )
  expect(begun).toEqual({ runs: 11_000, batches: 11 })
})

test('hundreds of schedules that an open transaction has changed keep none of the others from firing', async () => {
  const hour = await openHour('behind')
  const settings = { every_ms: 60_000, every_from: beginning.toISOString(), overlap: 'allow' }
  await Promise.all(
    Array.from({ length: 250 }, (_, index) =>
      defineSchedule(database, `behind-${index}`, 'behind', settings),
    ),
  )
  await defineSchedule(database, 'later', 'behind', {
    ...settings,
    every_from: new Date(beginning.getTime() + 1_000).toISOString(),
  })
  await database.clock.freeze(new Date(hour.getTime() + 2_000))
  await schedule()
  await one.query('begin')
  await one.query(
    `select millrace.define_schedule(s.name, s.slug, $1) from millrace.schedule s where s.name like 'behind-%'`,
    [{ ...settings, priority: 1 }],
  )
  await database.clock.freeze(new Date(hour.getTime() + 62_000))
  await schedule()
  const fired = await firingsOf(database, 'later', hour)
  await one.query('rollback')
  expect(fired.map(({ at, state }) => [at, state])).toEqual([
    [1, 'started'],
    [61, 'started'],
  ])
})

test('a schedule that is changed, paused or removed while it is evaluated is evaluated anew', async () => {
  const hour = await openHour('changing')
  await defineSchedule(database, 'changing', 'changing', {
    every_ms: 60_000,
    every_from: beginning.toISOString(),
  })
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 60_000))
  const [evaluation] = await one.query(
    `select jsonb_build_array(jsonb_build_object('schedule', s.id, 'revision', s.revision, 'from', s.evaluated_at, 'to', millrace.now(),
       'firings', '[]'::jsonb)) as told from millrace.schedule s where s.name = 'changing'`,
  )
  await other.query(`select millrace.pause_schedule('changing', 'by somebody else')`)
  expect(
    await one.query('select millrace.fire_schedules($1) as held', [JSON.stringify(evaluation!['told'])]),
  ).toEqual([{ held: 0 }])
  await other.query(`select millrace.resume_schedule('changing')`)
  expect(
    await one.query('select millrace.fire_schedules($1) as held', [JSON.stringify(evaluation!['told'])]),
  ).toEqual([{ held: 0 }])
  await schedule()
  expect(await firingsOf(database, 'changing', hour)).toMatchObject([{ at: 60, reason: 'paused' }])
})

test('times that change hold from then on, and what was due by the old ones is not lost', async () => {
  const hour = await openHour('retimed')
  await defineSchedule(database, 'retimed', 'retimed', {
    every_ms: 60_000,
    every_from: beginning.toISOString(),
    overlap: 'allow',
  })
  await schedule()
  await database.clock.freeze(new Date(hour.getTime() + 59_000))
  expect(
    await defineSchedule(database, 'retimed', 'retimed', {
      every_ms: 45_000,
      every_from: hour.toISOString(),
      overlap: 'allow',
    }),
  ).toBe(2)
  await database.clock.freeze(new Date(hour.getTime() + 61_000))
  await schedule()
  expect(await firingsOf(database, 'retimed', hour)).toEqual([])
  await database.clock.freeze(new Date(hour.getTime() + 95_000))
  // The slot at 90 is due and not evaluated when the times change back.
  await defineSchedule(database, 'retimed', 'retimed', {
    every_ms: 60_000,
    every_from: beginning.toISOString(),
    overlap: 'allow',
  })
  await database.clock.freeze(new Date(hour.getTime() + 125_000))
  await schedule()
  expect((await firingsOf(database, 'retimed', hour)).map(({ at }) => at)).toEqual([90, 120])
})

test('a schedule changes by its revision, is removed, and comes back as the same one', async () => {
  const hour = await openHour('revised')
  const settings = { cron: '0 7 * * 1-5', timezone: 'Europe/Berlin' }
  expect(await defineSchedule(database, 'revised', 'revised', settings, 0)).toBe(1)
  expect(await defineSchedule(database, 'revised', 'revised', settings)).toBe(1)
  await expect(
    defineSchedule(database, 'revised', 'revised', { ...settings, priority: 1 }, 0),
  ).rejects.toMatchObject({ code: 'MR030' })
  expect(await defineSchedule(database, 'revised', 'revised', { ...settings, priority: 1 }, 1)).toBe(2)
  await expect(database.query(`select millrace.pause_schedule('revised', null, 1)`)).rejects.toMatchObject({
    code: 'MR030',
  })
  expect(await database.query(`select millrace.remove_schedule('revised', 2) as removed`)).toEqual([
    { removed: true },
  ])
  expect(await database.query(`select millrace.remove_schedule('revised') as removed`)).toEqual([
    { removed: false },
  ])
  await expect(database.query(`select millrace.trigger_schedule('revised')`)).rejects.toMatchObject({
    code: 'MR100',
  })
  await database.clock.freeze(new Date(hour.getTime() + 30 * 86_400_000))
  expect(await defineSchedule(database, 'revised', 'revised', settings, 0)).toBe(4)
  await schedule()
  // It has missed nothing while it was not there.
  expect(await firingsOf(database, 'revised', hour)).toEqual([])
})

test.each([
  [{}, /either cron or every_ms/],
  [{ cron: '* * * * *', every_ms: 1_000 }, /either cron or every_ms/],
  [{ every_ms: 999 }, /every_ms must be from 1,000/],
  [{ every_ms: 1_000, timezone: 'UTC' }, /no timezone/],
  [{ every_ms: 1_000, overlap: 'queue' }, /overlap must be/],
  [{ every_ms: 1_000, catch_up_max: 0 }, /catch_up_max must be/],
  [{ every_ms: 1_000, jitter_ms: 'soon' }, /can't be read/],
  [{ every_ms: 1_000, starts_at: '2027-01-01T00:00Z', ends_at: '2026-01-01T00:00Z' }, /later than starts_at/],
  [{ every_ms: 1_000, ends_at: 'infinity' }, /ends_at and every_from must be times/],
  [{ every_ms: 1_000, jitter_ms: 60_000, deadline_ms: 60_000 }, /deadline_ms must be longer than jitter_ms/],
  [{ every_ms: 1_000, colour: 'red' }, /takes no 'colour'/],
])('a setting %o that cannot be held to is refused when it is written', async (settings, message) => {
  await registerPipeline(database, 'refusing', chain('only'))
  await expect(defineSchedule(database, 'refusing', 'refusing', settings)).rejects.toMatchObject({
    code: 'MR101',
    message: expect.stringMatching(message) as string,
  })
})
