// Schedules in time that is moved: what fires, what is skipped or missed, and how each firing ends.
import { afterEach, expect, test } from 'vitest'
import { createEngine } from '../../test/engine.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { type Overlap, schedule } from '../sdk/schedule.ts'
import type { Schedules } from '../sdk/schedules.ts'
import type { TestEngine } from '../testing/engine.ts'

const engines: TestEngine[] = []

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})

async function engineFor(
  pipelines: Parameters<typeof createEngine>[0],
  triggers: NonNullable<Parameters<typeof createEngine>[1]>['triggers'] = [],
): Promise<TestEngine> {
  const engine = await createEngine(pipelines, { triggers })
  engines.push(engine)
  return engine
}

const quick = pipeline('quick').step('only', () => 'done')

const told = async (engine: TestEngine, name: string, options: Parameters<Schedules['firings']>[1] = {}) =>
  (await engine.client.schedules.firings(name, options)).toReversed()

test('a schedule of the code fires at each of its slots, on time, and the firing is closed by the end of its run', async () => {
  const engine = await engineFor([quick], [schedule('each-minute', { pipeline: quick, cron: '* * * * *' })])
  await engine.advance('3m')
  const firings = await told(engine, 'each-minute')
  expect(firings.length).toBe(3)
  for (const firing of firings) {
    expect(firing).toMatchObject({ kind: 'scheduled', state: 'completed', lateMs: 0, firedAt: firing.slot })
    expect(firing.slot.getTime() % 60_000).toBe(0)
    expect(await engine.account(firing.runId!)).toContain('quick')
  }
})

/** Takes 140 seconds each time. */
const long = pipeline('long').step('nap', async ({ durable }) => {
  await durable.sleep('140s')
})

test.each<[Overlap, string[]]>([
  ['skip', ['completed', 'skipped', 'skipped', 'started', 'skipped', 'skipped']],
  ['queue one', ['completed', 'completed', 'skipped', 'started', 'skipped', 'queued']],
  ['queue all', ['completed', 'completed', 'started', 'queued', 'queued', 'queued']],
  ['cancel other', ['failed', 'failed', 'failed', 'failed', 'failed', 'started']],
  ['allow', ['completed', 'completed', 'completed', 'started', 'started', 'started']],
])("while a run that waits is live, overlap '%s' makes of six slots: %o", async (overlap, states) => {
  const engine = await engineFor([long], [schedule('overlapping', { pipeline: long, every: '60s', overlap })])
  // The last slot, and a moment in which what was cancelled ends.
  await engine.advance('360s')
  await engine.advance('5s')
  const firings = await told(engine, 'overlapping')
  expect(firings.map(({ state }) => state)).toEqual(states)
  for (const { state, reason, blockedBy } of firings) {
    if (state === 'skipped')
      expect({ reason, blocked: blockedBy !== null }).toEqual({ reason: 'overlap', blocked: true })
    if (state === 'failed') expect(reason).toBe('run_cancelled')
  }
  const live = await engine.query(
    `select 1 from millrace.run where finished_at is null and state <> 'pending'`,
  )
  expect(live.length).toBe(overlap === 'allow' ? 3 : 1)
})

const asking = pipeline('asking').step('ask', async ({ durable }) => {
  await durable.approval('go', { title: 'Go?', roles: ['lead'], expires: '30d', otherwise: 'reject' })
})

test('a run that waits for an approval counts as running', async () => {
  const engine = await engineFor([asking], [schedule('daily', { pipeline: asking, cron: '@daily' })])
  await engine.advance('3d')
  const firings = await told(engine, 'daily')
  expect(firings.map(({ state }) => state)).toEqual(['started', 'skipped', 'skipped'])
  await engine.approve(firings[0]!.runId!)
  await engine.advance('1d')
  expect((await told(engine, 'daily')).map(({ state }) => state)).toEqual([
    'completed',
    'skipped',
    'skipped',
    'started',
  ])
})

let broken = false
const fragile = pipeline('fragile').step('only', { retry: { attempts: 1 } }, () => {
  if (broken) throw new Error('the function answered 401')
  return 'done'
})

test('RR-1 a firing is what its run came to: a run that failed is a firing that failed, with the error', async () => {
  broken = true
  const engine = await engineFor([fragile], [schedule('nightly', { pipeline: fragile, cron: '@daily' })])
  await engine.advance('1d')
  const [failed] = await told(engine, 'nightly')
  expect(failed).toMatchObject({ state: 'failed', reason: 'run_failed', endedAt: expect.any(Date) as Date })
  expect(failed?.error?.message).toContain('the function answered 401')
  expect(await engine.account(failed!.runId!)).toContain("Started by schedule 'nightly', for its slot of")

  broken = false
  expect(await engine.client.run(failed!.runId!).redrive()).toMatchObject({ redriven: true })
  expect(await told(engine, 'nightly')).toMatchObject([{ state: 'started', error: null }])
  await engine.runUntilIdle()
  expect(await told(engine, 'nightly')).toMatchObject([{ state: 'completed', runId: failed!.runId! }])
})

test('RR-1 a run that another one takes the place of hands its firing on', async () => {
  broken = true
  const engine = await engineFor([fragile], [schedule('nightly', { pipeline: fragile, cron: '@daily' })])
  await engine.advance('1d')
  const [failed] = await told(engine, 'nightly')
  broken = false
  await engine.client.run(failed!.runId!).redrive({ from: 'start' })
  await engine.runUntilIdle()
  const [redone] = await told(engine, 'nightly')
  expect(redone).toMatchObject({ id: failed!.id, state: 'completed' })
  expect(redone!.runId).not.toBe(failed!.runId)
})

test('PP-D13 a schedule is paused once so many of its firings in a row have failed, exactly once, and says why', async () => {
  const engine = await engineFor(
    [fragile],
    [schedule('hourly', { pipeline: fragile, every: '1h', pauseAfter: 3 })],
  )
  broken = true
  await engine.advance('2h')
  broken = false
  await engine.advance('1h')
  expect(await engine.client.schedules.get('hourly')).toMatchObject({ failures: 0, paused: null })
  broken = true
  await engine.advance('6h')
  const paused = await engine.client.schedules.get('hourly')
  expect(paused).toMatchObject({ failures: 3, nextSlot: null, paused: { by: 'millrace' } })
  expect(paused.paused?.reason).toContain('3 firings in a row failed, the last one by run')
  expect((await told(engine, 'hourly')).length).toBe(6)
  expect(await engine.query(`select 1 from millrace.event where kind = 'schedule.paused'`)).toHaveLength(1)

  broken = false
  expect(await engine.client.schedules.resume('hourly')).toBe(true)
  await engine.runUntilIdle()
  expect((await told(engine, 'hourly')).at(-1)).toMatchObject({
    state: 'skipped',
    reason: 'paused',
    slots: 3,
  })
  await engine.advance('1h')
  expect((await told(engine, 'hourly')).at(-1)).toMatchObject({ state: 'completed' })
  expect(await engine.client.schedules.get('hourly')).toMatchObject({ failures: 0, paused: null })
})

test('a firing that has no end by its deadline is overdue, once, and stays so when the end comes', async () => {
  const engine = await engineFor(
    [long],
    [schedule('bounded', { pipeline: long, every: '10m', deadline: '2m' })],
  )
  await engine.advance('11m')
  expect(await told(engine, 'bounded')).toMatchObject([{ state: 'started', overdueAt: null }])
  await engine.advance('1m')
  const [overdue] = await told(engine, 'bounded')
  expect(overdue?.overdueAt).toEqual(overdue?.deadlineAt)
  await engine.advance('1m')
  expect(await told(engine, 'bounded')).toMatchObject([{ state: 'completed', overdueAt: overdue!.overdueAt }])
  expect(await engine.query(`select 1 from millrace.event where kind = 'firing.overdue'`)).toHaveLength(1)
  expect(await engine.account(overdue!.runId!)).toContain('without an end by the deadline')
})

test('a schedule fires when it is triggered, also while it is paused, and its slots go on beside that', async () => {
  const engine = await engineFor([quick, long])
  const { schedules } = engine.client
  await schedules.define('by-hand', { pipeline: quick, cron: '0 0 1 1 *' })
  await schedules.define('long', { pipeline: long, cron: '0 0 1 1 *' })
  await schedules.pause('by-hand', { reason: 'a holiday' })
  const first = await schedules.trigger('by-hand')
  const second = await schedules.trigger('by-hand', { overlap: 'allow' })
  expect([first, second]).toMatchObject([{ state: 'started' }, { state: 'started' }])
  await engine.runUntilIdle()
  expect(await told(engine, 'by-hand')).toMatchObject([
    { kind: 'triggered', state: 'completed' },
    { kind: 'triggered', state: 'completed' },
  ])
  const live = await schedules.trigger('long')
  expect(await schedules.trigger('long')).toMatchObject({
    state: 'skipped',
    reason: 'overlap',
    blockedBy: live.run?.id,
  })
  await expect(schedules.trigger('nothing')).rejects.toMatchObject({ code: 'schedule_unknown' })
})

test('a backfill fires again what was skipped or could not be started, and it is overdue from its own beginning', async () => {
  const engine = await engineFor(
    [long],
    [schedule('refilled', { pipeline: long, every: '60s', deadline: '2m' })],
  )
  await engine.advance('130s')
  expect(await told(engine, 'refilled')).toMatchObject([{ state: 'started' }, { state: 'skipped' }])
  const [first] = await told(engine, 'refilled')
  await engine.client.schedules.pause('refilled')
  await engine.advance('200s')
  await engine.query(
    `update millrace.firing set state = 'failed', reason = 'no_start', blocked_by = null, error = '{"code": "22023", "message": "no"}', unsettled = true
      where state = 'skipped'`,
  )
  const filled = await engine.client.schedules.backfill('refilled', {
    from: new Date(first!.slot.getTime() + 60_000),
    until: new Date(first!.slot.getTime() + 60_000),
  })
  expect(filled).toEqual({ queued: 1, firedBefore: 0 })
  await engine.runUntilIdle()
  const again = (await told(engine, 'refilled'))[1]!
  expect(again).toMatchObject({ state: 'started', kind: 'backfill', overdueAt: null, error: null })
  expect(again.deadlineAt!.getTime() - again.firedAt.getTime()).toBe(120_000)
})

test('an expectation is looked at again in its own time while the time is moved', async () => {
  const engine = await engineFor(
    [quick],
    [schedule('unmet', { pipeline: quick, every: '1h', expect: { query: 'select false', within: '5m' } })],
  )
  await engine.advance('90m')
  const [firing] = await told(engine, 'unmet')
  expect(firing).toMatchObject({ state: 'unverified' })
  expect(firing!.closedAt!.getTime() - firing!.endedAt!.getTime()).toBe(300_000)
})

test("a backfill fires the slots of a time, one after another, never one that ran, and in nobody's way", async () => {
  const engine = await engineFor(
    [quick],
    [schedule('hourly', { pipeline: quick, every: '1h', from: new Date(0) })],
  )
  await engine.advance('2h')
  const now = engine.now()
  const range = { from: new Date(now.getTime() - 10 * 3_600_000), until: now }
  const { schedules } = engine.client
  expect(await schedules.backfill('hourly', { ...range, dryRun: true })).toEqual({
    queued: 8,
    firedBefore: 2,
  })
  expect(await told(engine, 'hourly')).toHaveLength(2)
  expect(await schedules.backfill('hourly', range)).toEqual({ queued: 8, firedBefore: 2 })
  expect((await told(engine, 'hourly')).map(({ state }) => state).toSorted()).toEqual([
    'completed',
    'completed',
    ...Array<string>(7).fill('queued'),
    'started',
  ])
  await engine.runUntilIdle()
  const filled = await told(engine, 'hourly', { states: ['completed'] })
  expect(filled).toHaveLength(10)
  expect(filled.filter(({ kind }) => kind === 'backfill')).toHaveLength(8)
  expect(new Set(filled.map(({ slot }) => slot.getTime())).size).toBe(10)
  expect(await schedules.backfill('hourly', range)).toEqual({ queued: 0, firedBefore: 10 })
  await expect(
    schedules.backfill('hourly', { from: new Date(now.getTime() - 15_000 * 3_600_000) }),
  ).rejects.toMatchObject({ code: 'schedule_invalid' })
})

test('a schedule that is defined while it is due tells its next times with the offsets of its zone', async () => {
  const engine = await engineFor([quick])
  const { schedules } = engine.client
  await schedules.define('berlin', {
    pipeline: quick,
    cron: '30 2 * * *',
    timezone: 'Europe/Berlin',
    starts: new Date('2027-03-27T00:00:00Z'),
  })
  expect((await schedules.next('berlin', { count: 3 })).map(({ local }) => local)).toEqual([
    '2027-03-27T02:30:00+01:00',
    '2027-03-28T03:00:00+02:00',
    '2027-03-29T02:30:00+02:00',
  ])
  expect(await schedules.get('berlin')).toMatchObject({
    nextSlot: new Date('2027-03-27T01:30:00Z'),
    source: 'operator',
    overlap: 'skip',
    lastFiring: null,
  })
})
