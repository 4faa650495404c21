// How the turns of peers are measured: what is divided by what, which samples count, and when is killed.
import { expect, test } from 'vitest'
import { paced, sharedClockMs, tailText } from '../bench/measure.ts'
import { costsOf, type Spent } from '../bench/peers/costs.ts'
import { noteOf } from '../bench/peers/note.ts'
import { failureBefore, failureOf, outcomeOf } from '../bench/peers/outcome.ts'
import { NoValue, type Turn } from '../bench/peers/measured-turn.ts'
import { DrainSize } from '../bench/peers/rows/drain-size.ts'
import { settledMs } from '../bench/peers/rows/settled.ts'

const spent = (units: number, more: Partial<Spent> = {}): Spent => ({
  clientCpuSeconds: 2,
  serverCpuSeconds: 3,
  logBytes: 4_000,
  units,
  ...more,
})

test('costs are divided by the tasks that ended, counts by those of the turn that counts', () => {
  const costs = costsOf({
    counted: spent(100, { counted: { statements: 250, commits: 50 } }),
    timed: [spent(1_000), spent(3_000)],
    inPostgres: true,
    peakBytes: 5,
  })
  expect(costs).toEqual({
    clientCpuMs: 1,
    serverCpuMs: 1.5,
    statements: 2.5,
    commits: 0.5,
    logBytes: 2,
    peakBytes: 5,
  })
})

test('where no task ended there are no costs, and what was not counted is not 0', () => {
  expect(costsOf({ counted: undefined, timed: [spent(0)], inPostgres: true, peakBytes: 5 })).toBeUndefined()
  const counted = spent(10, { counted: { statements: 10, commits: undefined } })
  expect(costsOf({ counted, timed: [spent(10)], inPostgres: true, peakBytes: 5 })).toMatchObject({
    statements: 1,
    commits: null,
  })
  expect(costsOf({ counted, timed: [spent(10)], inPostgres: false, peakBytes: 5 })).toMatchObject({
    statements: null,
    logBytes: null,
  })
})

test('a tail is that of the samples of all turns, and of few ones it is called what it is', () => {
  const turn = (late: number) => ({
    note: `${late}/s`,
    samples: Array.from({ length: 99 }, () => 1).concat(late),
  })
  expect(noteOf([turn(5), turn(7)], tailText)).toBe('7/s, p99 5.0 ms')
  expect(noteOf([turn(5)], tailText)).toBe('5/s, most of 100 5.0 ms')
  expect(noteOf([{}, {}], tailText)).toBeUndefined()
})

test('a call that comes late counts from when it was due', async () => {
  const busyMs = 30
  const called: number[] = []
  const due = await paced({ ratePerSecond: 1_000, ms: 5 }, async (n) => {
    called.push(sharedClockMs())
    const ends = performance.now() + busyMs
    while (n === 0 && performance.now() < ends);
  })
  expect(due.slice(1).map((at, n) => Math.round(at - due[n]!))).toEqual([1, 1, 1, 1])
  expect(called[1]! - due[1]!).toBeGreaterThan(busyMs - 2)
})

test('five kills meet a timer of 15, 30 or 60 s at five moments that lie evenly in it', () => {
  const settled = [1, 2, 3, 4, 5].map(settledMs)
  for (const period of [15_000, 30_000, 60_000]) {
    const phases = settled.map((ms) => ms % period).toSorted((left, right) => left - right)
    const gaps = phases.map((phase, n) => ((phases[n + 1] ?? phases[0]! + period) - phase) / period)
    for (const gap of gaps) expect(gap).toBeCloseTo(1 / 5, 5)
  }
})

test('a drain becomes longer until it takes a quarter of its time, and shorter above a half', () => {
  const next = (first: number, ms: number) => {
    const size = new DrainSize({ first, most: 20_000, limitMs: 20_000 })
    size.learn(ms)
    return size.count
  }
  expect(next(200, 100)).toBe(400)
  expect(next(12_800, 1_000)).toBe(20_000)
  expect(next(400, 6_000)).toBe(400)
  expect(next(401, 11_000)).toBe(200)
  expect(next(1, 20_000)).toBe(1)
})

test.each<[string, (count: number) => number]>([
  ['is too short with some and too long with twice as many', (count) => (count < 3_000 ? 4_000 : 11_000)],
  ['takes as long whatever it is of', () => 100],
  ['is always too long', () => 19_000],
])('how many a drain is of is known in the end, also of one that %s', (_, msOf) => {
  const size = new DrainSize({ first: 200, most: 20_000, limitMs: 20_000 })
  const tried: number[] = []
  while (!size.isSettled && tried.length < 100) {
    tried.push(size.count)
    size.learn(msOf(size.count))
  }
  expect(tried.length).toBeLessThan(15)
  expect(size.proved).toBeLessThanOrEqual(tried.at(-1)!)
})

test('a turn is of no more tasks than the last drain before it, which ended', () => {
  const size = new DrainSize({ first: 200, most: 20_000, limitMs: 20_000 })
  size.learn(100)
  expect([size.count, size.proved, size.done]).toEqual([400, 200, 200])
  size.learn(11_000)
  expect([size.count, size.proved, size.done]).toEqual([200, 200, 600])
})

const turnOf = (value: number): Turn => ({ value, spent: undefined, leftOver: false, note: `${value}/s` })

test('turns that had a value keep it when a later one has none, and what broke has none', () => {
  const leftOver = failureOf(new NoValue('one left work over'))
  expect(outcomeOf([turnOf(5), turnOf(7)], leftOver, undefined)).toEqual({
    values: [5, 7],
    note: '7/s, none in turn 3: one left work over',
  })
  expect(outcomeOf([], leftOver, undefined)).toEqual({ values: [], cannot: 'one left work over' })
  expect(outcomeOf([turnOf(5)], failureOf(new Error('a pipe broke\nat home')), undefined)).toEqual({
    values: [],
    cannot: 'it failed: a pipe broke',
    isMishap: true,
  })
})

test('what a peer can’t do is no mishap, and what is missing on the machine is one', () => {
  const peer = { cannot: { drain: 'it has no queue' }, notHere: 'its server is not installed' }
  expect(failureBefore(peer, 'drain')).toEqual({ reason: 'it has no queue', isMishap: false })
  expect(failureBefore(peer, 'takeover')).toEqual({ reason: 'its server is not installed', isMishap: true })
  expect(failureBefore({ cannot: {} }, 'drain')).toBeUndefined()
})
