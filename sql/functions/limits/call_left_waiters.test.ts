// The net below those who wait for limits, and who is cancelled where the oldest makes room.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, limitsOf, miscounted, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  completeAll,
  fail,
  runOf,
  startInputs,
  sweep,
} from '../../../test/protocol.ts'

const { database, one } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

const start = (slug: string, inputs: unknown[]) => startInputs(database, slug, inputs)

const lockWaiting = (run: string) =>
  one.query('select from millrace.waiting_task where run_id = $1 for update', [run])

test('who was locked while a slot was given back is called by the sweep', async () => {
  const worker = await workerOf(database, 'skipped', chain('only'))
  await defineLimit(database, 'skipped', sharedKey(1), 'skipped')
  const runs = await start('skipped', [1, 2])
  const first = await claim(database, worker, 10)
  await one.query('begin')
  await lockWaiting(runs[1]!)
  await completeAll(database, worker, first)
  expect(await claim(database, worker, 10)).toEqual([])
  await one.query('rollback')
  expect(await claim(database, worker, 10)).toEqual([])
  await database.clock.advance('2s')
  await sweep(database)
  expect((await claim(database, worker, 10)).map(({ run_id }) => run_id)).toEqual([runs[1]])
})

test('the sweep looks at all limits in turn, a hundred at a time', async () => {
  const worker = await workerOf(database, 'many', chain('only'))
  await defineLimit(database, 'many', { kind: 'concurrency', capacity: 1, key: [['n']] }, 'many')
  const inputs = Array.from({ length: 250 }, (_, n) => ({ n }))
  await start('many', inputs)
  const first = await claim(database, worker, 300)
  const later = await start('many', inputs)
  expect(await claim(database, worker, 300)).toEqual([])
  await one.query('begin')
  await one.query('select from millrace.waiting_task where run_id = any ($1) for update', [later])
  await completeAll(database, worker, first)
  await one.query('rollback')
  for (let n = 0; n < 4; n++) {
    await database.clock.advance('2s')
    await sweep(database)
  }
  expect(await claim(database, worker, 300)).toHaveLength(250)
})

test('a sweep calls nobody for the room of those who were called before and that no worker had a slot for', async () => {
  const worker = await workerOf(database, 'unclaimed', chain('only'))
  await defineLimit(database, 'unclaimed', { kind: 'concurrency', capacity: 3, key: [['k']] }, 'unclaimed')
  await start(
    'unclaimed',
    ['a', 'b'].flatMap((k) => Array.from({ length: 10 }, () => ({ k }))),
  )
  await completeAll(database, worker, await claim(database, worker, 20))
  const counts = async () =>
    (await limitsOf(database, 'unclaimed')).map(({ key, waiting }) => `${key}: ${waiting}`)
  expect(await counts()).toEqual(['a: 4', 'b: 4'])
  for (let n = 0; n < 3; n++) {
    await database.clock.advance('2s')
    await sweep(database)
  }
  expect(await counts()).toEqual(['a: 4', 'b: 4'])
  await one.query('begin')
  await one.query("select from millrace.waiting_task where reason = 'limit' for update")
  await completeAll(database, worker, await claim(database, worker, 20))
  await one.query('rollback')
  await database.clock.advance('2s')
  await sweep(database)
  expect(await counts()).toEqual(['a: 1', 'b: 1'])
})

test('a worker that comes calls those whose version nobody served when there was room', async () => {
  const worker = await workerOf(database, 'unserved', chain('only'), { leaseSeconds: 10 })
  await defineLimit(database, 'unserved', sharedKey(1), 'unserved')
  const runs = await start('unserved', [1, 2])
  await claim(database, worker, 10)
  await database.clock.advance('15s')
  await cancelRun(database, runs[0]!)
  await sweep(database)
  expect(await limitsOf(database, 'unserved')).toEqual([{ key: 'null', used: 0, waiting: 1 }])
  const next = await workerFor(database, 'unserved')
  expect((await claim(database, next, 10)).map(({ run_id }) => run_id)).toEqual([runs[1]])
})

test('a newcomer cancels the run of the oldest holder, and begins once that has let go', async () => {
  const worker = await workerOf(database, 'newest', chain('only'))
  await defineLimit(
    database,
    'newest',
    { kind: 'concurrency', capacity: 2, strategy: 'cancel_oldest', key: [['n']] },
    'newest',
  )
  const [oldest, older] = await start('newest', [{ n: 1 }, { n: 1 }])
  const held = await claim(database, worker, 10)
  const [newcomer] = await start('newest', [{ n: 1 }])
  expect(await claim(database, worker, 10)).toEqual([])
  await sweep(database)
  expect((await runOf(database, oldest!)).state).toBe('cancelled')
  expect((await runOf(database, older!)).state).toBe('running')
  expect(await claim(database, worker, 10)).toEqual([])
  await fail(database, worker, [{ task: held[0]! }])
  const next = await claim(database, worker, 10)
  expect(next.map(({ run_id }) => run_id)).toEqual([newcomer])
  await completeAll(database, worker, [held[1]!, ...next])
})

test('of many newcomers only the newest stay, and whoever left by itself is cancelled for nobody', async () => {
  const worker = await workerOf(database, 'latest', chain('only'))
  await defineLimit(
    database,
    'latest',
    { kind: 'concurrency', capacity: 1, strategy: 'cancel_oldest' },
    'latest',
  )
  await start('latest', [0])
  await completeAll(database, worker, await claim(database, worker, 10))
  const runs = await start('latest', [1, 2, 3, 4])
  const held = await claim(database, worker, 10)
  await sweep(database)
  const states = await Promise.all(runs.map(async (run) => (await runOf(database, run)).state))
  expect(states).toEqual(['cancelled', 'cancelled', 'cancelled', 'pending'])
  await fail(database, worker, [{ task: held[0]! }])
  const next = await claim(database, worker, 10)
  expect(next.map(({ run_id }) => run_id)).toEqual([runs[3]])
  await completeAll(database, worker, next)
})

test("the oldest of more than a hundred can't be cancelled, which is said when it is asked", async () => {
  await expect(
    defineLimit(
      database,
      'too-many',
      { kind: 'concurrency', capacity: 101, strategy: 'cancel_oldest' },
      'latest',
    ),
  ).rejects.toMatchObject({ code: 'MR060' })
})
