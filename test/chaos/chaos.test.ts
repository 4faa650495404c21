// Chaos: a minute of all faults at once with each of two seeds, and the same plan for the same seed. `npm run chaos` plays for as long as it is told to.
import { afterEach, expect, test } from 'vitest'
import { recordFigure } from '../faults/effects.ts'
import { type Program, startTypeScript } from '../program.ts'
import { endFaults, planFaults, serverFaults, workerFaults } from './plan.ts'
import { expectedOutput, fullRecipe, laterRecipe, randomRecipe, type Recipe } from './recipes.ts'
import { faultsOf, reportLines, type Report } from './report.ts'
import { type Growth, growthOf } from './soak.ts'

const seeds = [20_261_121, 7]
const options = { ms: 600_000, everyMs: 4_000, seats: 4, without: new Set<never>() }

/** Of a soak in which all went well. */
const quiet: Report = {
  seed: 1,
  seconds: 3_600,
  calm: true,
  leaseSeconds: 10,
  runs: 1,
  attempts: 1,
  reclaimed: 0,
  megabytes: 1,
  faults: {},
  missed: [],
  missing: {},
  acknowledged: 1,
  asked: {},
  refused: {},
  seen: {
    redriven: 0,
    deadLetters: 0,
    calledRuns: 0,
    signals: 0,
    cancelled: 0,
    locksHeld: 0,
    changes: 0,
    failedByFaults: 0,
  },
  deadlocks: 0,
  lost: 0,
  endedTwice: 0,
  duplicateEffects: 0,
  capsExceeded: 0,
  outside: { called: 0, repeated: 0 },
  recoveries: [],
  backAfterRestart: undefined,
  backAfterListener: undefined,
  longestRestSeconds: 0,
  growths: [],
  backends: { first: 40, last: 40, most: 40 },
  stuck: undefined,
  looks: 1,
  calmSeconds: 3_500,
  evidence: '',
  broken: [],
}

const programs: Program[] = []
afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    // It ends all that it has started, and so may not be killed.
    child.kill('SIGTERM')
    await ended
  }
})

test.each(seeds)(
  'the invariants I1 to I11 hold after a minute in which faults of each lane, of workers, of the server and at the ends of handlers, came by the plan of seed %i: what was asked for is acknowledged, and nothing is lost, done twice or stuck',
  async (seed) => {
    const args = ['--seed', `${seed}`, '--minutes', '1', '--rate', '8', '--live', '30', '--lease', '3']
    const more = ['--light', '20', '--every', '2.5', '--json']
    const program = startTypeScript('test/chaos/main.ts', [...args, ...more])
    programs.push(program)
    const code = await program.ended
    // All of it: a message of the assertion would be cut off before what matters.
    if (code !== 0) process.stderr.write(program.printed())
    expect(code).toBe(0)
    const report = JSON.parse(program.output()) as Report
    expect(faultsOf(report)).toEqual([])
    const carriedOut = (kinds: readonly string[]) =>
      kinds.reduce((sum, kind) => sum + (report.faults[kind] ?? 0), 0)
    const lanes = { workers: workerFaults, server: serverFaults, ends: endFaults }
    for (const [lane, kinds] of Object.entries(lanes)) expect(carriedOut(kinds), lane).toBeGreaterThan(0)
    expect(report.acknowledged).toBeGreaterThan(0)
    const faults = carriedOut(Object.keys(report.faults))
    recordFigure(
      'chaos',
      `seed ${seed}: ${faults} faults, ${report.runs} runs, ${report.reclaimed} attempts reclaimed, nothing lost, done twice or stuck`,
    )
  },
  420_000,
)

test('the same seed gives the same plan, with each kind once before any comes again, and without what can not be had the rest of it', () => {
  const plan = planFaults({ ...options, seed: 3 })
  expect(planFaults({ ...options, seed: 3 })).toEqual(plan)
  expect(planFaults({ ...options, seed: 4 })).not.toEqual(plan)
  const first = (faults: ReadonlyArray<{ kind: string }>, count: number) =>
    new Set(faults.slice(0, count).map(({ kind }) => kind))
  expect(first(plan.workers, workerFaults.length)).toEqual(new Set(workerFaults))
  expect(first(plan.server, serverFaults.length)).toEqual(new Set(serverFaults))
  expect(first(plan.ends, endFaults.length)).toEqual(new Set(endFaults))
  const less = planFaults({ ...options, seed: 3, without: new Set(['disk full'] as const) })
  expect(less.server).toEqual(plan.server.filter(({ kind }) => kind !== 'disk full'))
  expect(less.workers).toEqual(plan.workers)
})

test('a recipe of a seed is the same each time, and gives the same with the step that a deployment adds', () => {
  for (let seed = 0; seed < 200; seed++) {
    for (const make of [randomRecipe, fullRecipe]) {
      const recipe = make('any', seed)
      expect(make('any', seed)).toEqual(recipe)
      expect(laterRecipe(recipe)).not.toEqual(recipe)
      for (const n of [0, 7, 999])
        expect(expectedOutput(laterRecipe(recipe), n)).toBe(expectedOutput(recipe, n))
    }
  }
  const kindsOf = ({ steps }: Recipe) => new Set(steps.map(({ kind }) => kind))
  const all = kindsOf(fullRecipe('any', 1))
  for (let seed = 0; seed < 200; seed++)
    for (const kind of kindsOf(randomRecipe('any', seed))) expect(all).toContain(kind)
})

test('a soak is judged: memory, heap, descriptors and backends that grow in an hour are faults, and what only fills up at first is none', () => {
  const minutes = Array.from({ length: 61 }, (_, minute) => minute)
  const growth = (
    kilobytes: (minute: number) => number,
    heap: (minute: number) => number,
    descriptors: (minute: number) => number,
  ) =>
    growthOf(
      minutes.map((minute) => ({
        at: minute * 60_000,
        kilobytes: kilobytes(minute),
        heapKilobytes: heap(minute),
        descriptors: descriptors(minute),
      })),
    )
  const judged = (growths: Report['growths'], last = 40) =>
    faultsOf({
      ...quiet,
      growths,
      backends: { first: 40, last, most: 80 },
    })
  const warm = (minute: number) => (minute < 12 ? 50_000 + minute * 4_000 : 98_000 + (minute % 3) * 500)
  const flat = (of: number) => (minute: number) => of + (minute % 2)
  const leaking = (minute: number) => 100_000 * (1 + (0.02 * minute) / 60)
  expect(judged([growth(warm, flat(20_000), flat(30))])).toEqual([])
  expect(judged([growth(leaking, flat(20_000), flat(30))])).toEqual([
    expect.stringContaining('The memory of a worker grew by 1.9'),
  ])
  expect(judged([growth(warm, leaking, flat(30))])).toEqual([expect.stringContaining('The heap of a worker')])
  expect(judged([growth(warm, flat(20_000), (minute) => 30 + minute)])).toEqual([
    expect.stringContaining('The descriptors of a worker grew from'),
  ])
  expect(judged([growth(warm, flat(20_000), flat(30))], 60)).toEqual([
    'The backends of the server grew from 40 to 60.',
  ])
})

test('a return after a restart that took too long is a fault, where enough of them were seen', () => {
  const took = (count: number, p99: number) => ({ count, p50: 300, p99, most: 9_000 })
  expect(faultsOf({ ...quiet, backAfterRestart: took(40, 5_000) })).toEqual([])
  expect(faultsOf({ ...quiet, backAfterRestart: took(19, 5_010) })).toEqual([])
  expect(faultsOf({ ...quiet, backAfterRestart: took(20, 5_010) })).toEqual([
    'It took 5.01 s (p99) until work went on after a restart of the server; 5 s are the most.',
  ])
})

test('without faults a call that is refused, an attempt that is taken back or fails, and a deadlock are faults; with them they are none', () => {
  const found = {
    refused: { '57014': 2, ECONNRESET: 1 },
    reclaimed: 4,
    seen: { ...quiet.seen, failedByFaults: 5 },
    deadlocks: 6,
  }
  const stormy = { ...quiet, calm: false }
  expect(faultsOf({ ...stormy, ...found })).toEqual(faultsOf(stormy))
  expect(faultsOf({ ...quiet, ...found })).toEqual([
    'Without any fault 3 calls of the load were refused (57014 2, ECONNRESET 1).',
    'Without any fault 4 attempts were taken back from their workers.',
    'Without any fault 5 attempts failed that the load did not make fail.',
    'Without any fault 6 deadlocks were broken by the server.',
  ])
})

test('a run of more than five minutes that never asked whether anything is stuck is a fault, and a shorter one is none', () => {
  expect(faultsOf({ ...quiet, looks: 0, seconds: 300 })).toEqual([])
  expect(faultsOf({ ...quiet, looks: 0, seconds: 301 })).toEqual([
    'It was never calm for long enough to ask whether anything is stuck.',
  ])
})

test('a kind of call that was tried often and never acknowledged is a fault, and one that was tried a few times is none', () => {
  const asked = {
    runs: { tried: 500, acknowledged: 1 },
    'a booking': { tried: 3, acknowledged: 0 },
    changes: { tried: 0, acknowledged: 0 },
  }
  expect(faultsOf({ ...quiet, asked })).toEqual([])
  expect(faultsOf({ ...quiet, asked: { ...asked, 'a delivery': { tried: 40, acknowledged: 0 } } })).toEqual([
    'The load asked 40 times for a delivery, and was refused each time.',
  ])
})

test('a recovery after a death that took too long is a fault, where enough were seen that nothing disturbed', () => {
  const took = (count: number, p99: number) => ({ count, p50: 900, p99, most: p99 })
  const judged = (alone: boolean, count: number, p99: number) =>
    faultsOf({ ...quiet, recoveries: [{ alone, locked: took(count, p99), pooled: took(count, 60_000) }] })
  expect(judged(true, 20, 5_000)).toEqual([])
  expect(judged(true, 19, 5_010)).toEqual([])
  expect(judged(false, 20, 5_010)).toEqual([])
  expect(judged(true, 20, 5_010)).toEqual([
    'It took 5.01 s (p99) until what a dead worker held began elsewhere; 5 s are the most.',
  ])
})

test('a run of faults in which a lane had none, or nothing was acknowledged, proves nothing and is a fault', () => {
  const faults = { 'worker killed': 1, 'server killed': 1, 'worker killed at the end of a handler': 1 }
  const played: Report = { ...quiet, calm: false, faults }
  expect(faultsOf(played)).toEqual([])
  expect(faultsOf({ ...quiet, acknowledged: 0 })).toEqual([
    'Nothing that the load asked for was acknowledged.',
  ])
  expect(faultsOf({ ...played, faults: { ...faults, 'server killed': 0 } })).toEqual([
    'No fault of the server was carried out.',
  ])
  expect(faultsOf({ ...played, faults: { 'worker of the previous version': 1 } })).toEqual([
    'No fault of the workers and their networks was carried out.',
    'No fault of the server was carried out.',
    'No fault of the ends of handlers was carried out.',
  ])
})

test('a kind of fault that was tried three times and never carried out is a fault, and the report says how often each was tried in vain', () => {
  const faults = { 'worker killed': 1, 'server killed': 1, 'worker killed at the end of a handler': 1 }
  const missed = (kind: 'fsync error' | 'server killed', times: number) =>
    Array.from({ length: times }, (_, time) => ({ kind, reason: `no ${time + 1}` }))
  const played: Report = { ...quiet, calm: false, faults }
  expect(faultsOf({ ...played, missed: missed('fsync error', 2) })).toEqual([])
  expect(faultsOf({ ...played, missed: missed('server killed', 5) })).toEqual([])
  expect(faultsOf({ ...played, missed: missed('fsync error', 3) })).toEqual([
    "'fsync error' was tried 3 times and never carried out, at last because no 3",
  ])
  const lines = reportLines({
    ...played,
    missed: [...missed('fsync error', 2), ...missed('server killed', 1)],
  })
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}fsync error +0, and 2 in vain: no 2$/))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}server killed +1, and 1 in vain: no 1$/))
})

test('a soak that is too short to judge what grows says so', () => {
  const slope = { megabytes: 100, percentPerHour: 0 }
  const growth = (minutes: number): Growth => ({ minutes, memory: slope, heap: slope, descriptors: [30, 30] })
  const says = (report: Report) => reportLines(report).some((line) => line.includes('too short'))
  expect(says({ ...quiet, growths: [growth(29)] })).toBe(true)
  expect(says({ ...quiet, growths: [growth(29), growth(31)] })).toBe(false)
  expect(says({ ...quiet, calm: false })).toBe(false)
})
