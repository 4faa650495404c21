// Breakers: they open after repeated failure, let one probe through after their cooldown, and close or open again by it, for all workers.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, miscounted } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  type ClaimedTask,
  claim,
  complete,
  fail,
  pauseRun,
  promote,
  release,
  type Sql,
  startInputs,
  sweep,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

const breaker = (failures: number, key: string[][] = []) => ({
  kind: 'breaker',
  failures,
  window_ms: 60_000,
  cooldown_ms: 10_000,
  key,
})

const start = (slug: string, inputs: unknown[]) => startInputs(database, slug, inputs)

const done = (sql: Sql, worker: Worker, tasks: ClaimedTask[]) =>
  complete(
    sql,
    worker,
    tasks.map((task) => ({ task })),
  )

const broken = (sql: Sql, worker: Worker, tasks: ClaimedTask[]) =>
  fail(
    sql,
    worker,
    tasks.map((task) => ({ task, error: { code: 'E', message: 'm', retryable: false } })),
  )

interface Breaker {
  key: string
  open: boolean
  probed: boolean
}

const breakersOf = (name: string) =>
  database.query<Breaker & Record<string, unknown>>(
    `select s.key, s.open_until is not null as open, s.probe_id is not null as probed
       from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = $1 order by s.key collate "C"`,
    [name],
  )

const waitingFor = async (slug: string) => {
  const [row] = await database.query<{ all: number; timed: number }>(
    `select count(*)::int as all, count(w.available_at)::int as timed from millrace.waiting_task w
       join millrace.handler h on h.id = w.handler where h.slug = $1 and w.reason = 'limit'`,
    [slug],
  )
  return row!
}

/** A pipeline under a breaker that has just opened, with so many that wait for it. */
async function opened(slug: string, waiting: number): Promise<Worker> {
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, slug, breaker(2), slug)
  await start(slug, [1, 2])
  await broken(database, worker, await claim(database, worker, 2))
  await start(
    slug,
    Array.from({ length: waiting }, (_, n) => n),
  )
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await waitingFor(slug)).toEqual({ all: waiting, timed: Math.min(waiting, 1) })
  return worker
}

/** The probe, once the cooldown has passed. */
async function probeOf(worker: Worker): Promise<ClaimedTask> {
  await database.clock.advance('10s')
  await promote(database)
  const tasks = await claim(database, worker, 10)
  expect(tasks).toHaveLength(1)
  return tasks[0]!
}

test('FO-4 JQ-30 a breaker opens once as many failed within its window, for all workers, and the run that opened it says so', async () => {
  const worker = await workerOf(database, 'fragile', chain('only'))
  const second = await workerFor(database, 'fragile')
  await defineLimit(database, 'fragile', breaker(3), 'fragile')
  const runs = await start('fragile', [1, 2, 3, 4, 5, 6])
  await broken(database, worker, await claim(database, worker, 2))
  await database.clock.advance('61s')
  await broken(database, second, await claim(database, second, 2))
  expect(await breakersOf('fragile')).toEqual([{ key: '', open: false, probed: false }])
  await broken(database, worker, await claim(database, worker, 1))
  expect(await breakersOf('fragile')).toEqual([{ key: '', open: true, probed: false }])
  expect(await claim(database, second, 10)).toEqual([])
  expect(
    await database.query(
      "select run_id, detail ->> 'limit' as name from millrace.event where kind = 'limit.opened' and run_id = any ($1)",
      [runs],
    ),
  ).toEqual([{ run_id: runs[4], name: 'fragile' }])
})

test('JQ-30 after the cooldown one probe goes, whoever claims; its success closes the breaker and calls those who waited', async () => {
  const worker = await opened('probed', 5)
  const second = await workerFor(database, 'probed')
  const probe = await probeOf(worker)
  await start('probed', [9])
  expect(await claim(database, second, 10)).toEqual([])
  await done(database, worker, [probe])
  expect(await breakersOf('probed')).toEqual([{ key: '', open: false, probed: false }])
  expect(await claim(database, second, 10)).toHaveLength(5)
  expect(await waitingFor('probed')).toEqual({ all: 0, timed: 0 })
})

test('JQ-30 thousands who waited for a breaker go on with the first sweep after it has closed', async () => {
  const worker = await opened('crowded', 1)
  await start(
    'crowded',
    Array.from({ length: 4_500 }, (_, n) => n),
  )
  for (let n = 0; n < 5; n++) expect(await claim(database, worker, 10)).toEqual([])
  await done(database, worker, [await probeOf(worker)])
  expect((await waitingFor('crowded')).all).toBe(3_500)
  await database.clock.advance('1s')
  await sweep(database)
  expect(await waitingFor('crowded')).toEqual({ all: 0, timed: 0 })
})

test('JQ-30 a probe that fails opens the breaker again, and one of those who wait has the new time', async () => {
  const worker = await opened('stubborn', 4)
  for (let n = 0; n < 3; n++) {
    await broken(database, worker, [await probeOf(worker)])
    expect(await breakersOf('stubborn')).toEqual([{ key: '', open: true, probed: false }])
    expect(await waitingFor('stubborn')).toEqual({ all: 3 - n, timed: n < 3 ? 1 : 0 })
  }
})

test('JQ-30 what began before a breaker opened neither opens it for longer nor closes it', async () => {
  const worker = await workerOf(database, 'early', chain('only'))
  await defineLimit(database, 'early', breaker(2), 'early')
  await start('early', [1, 2, 3, 4])
  const [first, second, third, fourth] = await claim(database, worker, 4)
  await broken(database, worker, [first!, second!])
  const before = await database.query(
    'select open_until from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = $1',
    ['early'],
  )
  await database.clock.advance('1s')
  await broken(database, worker, [third!])
  await done(database, worker, [fourth!])
  expect(
    await database.query(
      'select open_until from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = $1',
      ['early'],
    ),
  ).toEqual(before)
})

test('a breaker counts each key for itself, and touches nothing while all goes well', async () => {
  const worker = await workerOf(database, 'hosts', chain('only'))
  await defineLimit(database, 'hosts', breaker(1, [['host']]), 'hosts')
  await start('hosts', [{ host: 'a' }, { host: 'b' }])
  await done(database, worker, await claim(database, worker, 10))
  expect(await breakersOf('hosts')).toEqual([])
  await start('hosts', [{ host: 'a' }, { host: 'b' }])
  const [a, b] = await claim(database, worker, 10)
  await broken(database, worker, [a!])
  await done(database, worker, [b!])
  const [, free] = await start('hosts', [{ host: 'a' }, { host: 'b' }])
  expect((await claim(database, worker, 10)).map(({ run_id }) => run_id)).toEqual([free])
  expect(await breakersOf('hosts')).toEqual([{ key: 'a', open: true, probed: false }])
})

test('a probe that is given back, cancelled or lost with its worker frees its place for the next one', async () => {
  const worker = await opened('leaving', 6)
  const second = await workerFor(database, 'leaving', { leaseSeconds: 10 })
  const released = await probeOf(worker)
  await release(database, worker, [released])
  const [next] = await claim(database, worker, 10)
  expect(next).toBeDefined()
  await cancelRun(database, next!.run_id)
  await broken(database, worker, [next!])
  expect(await breakersOf('leaving')).toEqual([{ key: '', open: true, probed: false }])
  const lost = await claim(database, second, 10)
  expect(lost).toHaveLength(1)
  await database.clock.advance('15s')
  expect(await sweep(database)).toBe(1)
  const last = await claim(database, worker, 10)
  expect(last).toHaveLength(1)
  await done(database, worker, last)
  expect(await breakersOf('leaving')).toEqual([{ key: '', open: false, probed: false }])
})

test('where the one with the time is paused, the sweep lets another one probe', async () => {
  const worker = await opened('halted', 3)
  const [timed] = await database.query<{ run_id: string }>(
    "select w.run_id from millrace.waiting_task w join millrace.handler h on h.id = w.handler where h.slug = 'halted' and w.available_at is not null",
  )
  await pauseRun(database, timed!.run_id)
  await database.clock.advance('11s')
  await promote(database)
  expect(await claim(database, worker, 10)).toEqual([])
  await sweep(database)
  expect(await claim(database, worker, 10)).toHaveLength(1)
})

test('two failures that meet count two, and a claim that meets the last one begins nothing after it', async () => {
  const worker = await workerOf(database, 'raced', chain('only'))
  const second = await workerFor(database, 'raced')
  await defineLimit(database, 'raced', breaker(2), 'raced')
  await start('raced', [1, 2])
  const [first, last] = await claim(database, worker, 2)
  await one.query('begin')
  await broken(one, worker, [first!])
  const meanwhile = broken(other, worker, [last!])
  await untilBlocked(database)
  await one.query('commit')
  await meanwhile
  expect(await breakersOf('raced')).toEqual([{ key: '', open: true, probed: false }])
  await start('raced', [3])
  expect(await claim(database, second, 10)).toEqual([])
})

test('two claims that meet after the cooldown send one probe', async () => {
  const worker = await opened('twice', 4)
  const second = await workerFor(database, 'twice')
  await database.clock.advance('10s')
  await promote(database)
  await start('twice', [8, 9])
  await one.query('begin')
  expect(await claim(one, worker, 1)).toHaveLength(1)
  const meanwhile = claim(other, second, 10)
  await untilBlocked(database)
  await one.query('commit')
  expect(await meanwhile).toEqual([])
})

test('the failure of a step under several rules meets a claim of them without a circle of locks', async () => {
  const worker = await workerOf(database, 'crossed', chain('only'))
  const second = await workerFor(database, 'crossed')
  await defineLimit(database, 'crossed-breaker', breaker(1_000), 'crossed')
  await defineLimit(database, 'crossed-room', { kind: 'concurrency', capacity: 50, key: [['n']] }, 'crossed')
  await start(
    'crossed',
    Array.from({ length: 300 }, (_, n) => ({ n: n % 20 })),
  )
  const work = async (sql: Sql, mine: Worker) => {
    for (;;) {
      const tasks = await claim(sql, mine, 7)
      if (tasks.length === 0) return
      await broken(sql, mine, tasks.toReversed())
    }
  }
  await Promise.all([work(one, worker), work(other, second)])
  expect(await breakersOf('crossed-breaker')).toEqual([{ key: '', open: false, probed: false }])
})

test('a probe that completes in one batch with a step that was skipped closes its breaker', async () => {
  const worker = await workerOf(database, 'beside-skipped', chain('only'))
  const plain = await workerOf(database, 'skipped', chain('only'))
  await defineLimit(database, 'beside-skipped', breaker(1), 'beside-skipped')
  const both = { ...worker, handlers: [...worker.handlers, ...plain.handlers] }
  await start('beside-skipped', [1])
  const failing = await claim(database, worker, 1)
  await fail(
    database,
    worker,
    failing.map((task) => ({ task, delayMs: 0 })),
  )
  await database.clock.advance('10m')
  await start('skipped', [1])
  const held = await claim(database, both, 5)
  await start('beside-skipped', [2, 3])
  await complete(
    database,
    both,
    held.map((task) => (plain.handlers.includes(task.handler) ? { task, skipReason: 'no' } : { task })),
  )
  expect(await claim(database, worker, 5)).toHaveLength(2)
})
