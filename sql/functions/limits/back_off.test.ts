// Backing off: all keys of an attempt's step are left alone until the greatest time asked for, and what waits comes back by itself.
import { expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  complete,
  newId,
  pauseRun,
  promote,
  resumeRun,
  runsOf,
  startInputs,
  startRuns,
  type Sql,
  sweep,
  type Task,
  type Worker,
} from '../../../test/protocol.ts'

const { database } = await openMeeting()

async function backOff(
  sql: Sql,
  worker: Worker,
  task: Task,
  ms: number,
  limit: string | null = null,
): Promise<string> {
  const [row] = await sql.query<{ answer: string }>(
    'select millrace.back_off($1, $2, $3, $4, $5, $6, $7) as answer',
    [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt, ms, limit],
  )
  return row!.answer
}

const start = (slug: string, inputs: unknown[]) =>
  startRuns(
    database,
    inputs.map((input) => ({ id: newId(), slug, input })),
  )

test('what a step backs off from begins nowhere until the greatest time has passed, other keys go on, and who waits comes by itself', async () => {
  const worker = await workerOf(database, 'held', chain('only'))
  const second = await workerFor(database, 'held')
  await defineLimit(database, 'held', { kind: 'concurrency', capacity: 5, key: [['host']] }, 'held')
  await start('held', [{ host: 'a' }])
  const [first] = await claim(database, worker, 1)
  expect(await backOff(database, worker, first!, 10_000)).toBe('held')
  expect(await backOff(database, worker, first!, 2_000)).toBe('held')
  await start('held', [{ host: 'a' }, { host: 'a' }, { host: 'a' }, { host: 'b' }])
  expect(await claim(database, second, 10)).toHaveLength(1)
  await complete(database, worker, [{ task: first! }])
  await database.clock.advance('9s')
  await promote(database)
  expect(await claim(database, second, 10)).toEqual([])
  await database.clock.advance('1s')
  await promote(database)
  const back = [...(await claim(database, second, 10)), ...(await claim(database, second, 10))]
  expect(back).toHaveLength(3)
})

test('those who wait already when a step backs off come back by themselves too', async () => {
  const worker = await workerOf(database, 'full', chain('only'))
  await defineLimit(database, 'full', { kind: 'concurrency', capacity: 1 }, 'full')
  await start('full', [1, 2, 3])
  const [first] = await claim(database, worker, 10)
  await backOff(database, worker, first!, 5_000)
  await complete(database, worker, [{ task: first! }])
  expect(await claim(database, worker, 10)).toEqual([])
  await database.clock.advance('5s')
  await promote(database)
  const [next] = await claim(database, worker, 10)
  await complete(database, worker, [{ task: next! }])
  expect(await claim(database, worker, 10)).toHaveLength(1)
})

/** Starts one run after the other, a second apart. */
async function startApart(slug: string, inputs: unknown[]): Promise<string[]> {
  const ids: string[] = []
  for (const input of inputs) {
    const id = newId()
    await startRuns(database, [{ id, slug, input }])
    await database.clock.advance('1s')
    ids.push(id)
  }
  return ids
}

/** Completes what is claimed until nothing more comes, with an upkeep before each claim; answers with the runs in the order in which they began. */
async function workOff(worker: Worker, held: Task[]): Promise<string[]> {
  const begun: string[] = []
  await complete(
    database,
    worker,
    held.map((task) => ({ task })),
  )
  for (let empty = 0; empty < 2; ) {
    await database.clock.advance('2s')
    await promote(database)
    await sweep(database)
    const tasks = await claim(database, worker, 10)
    empty = tasks.length === 0 ? empty + 1 : 0
    begun.push(...tasks.map(({ run_id }) => run_id))
    await complete(
      database,
      worker,
      tasks.map((task) => ({ task })),
    )
  }
  return begun
}

test.each([
  ['strictly in order', 'has ended', { fifo: 'block' }],
  ['strictly in order', 'runs on', { fifo: 'block' }],
  ['past who waits', 'has ended', { fifo: 'pass' }],
  ['by key', 'has ended', {}],
  ['by key', 'runs on', {}],
])('who waits %s keeps its place, where a step has backed off that %s', async (_, state, order) => {
  const slug = `kept-${Object.values(order).join('')}-${state.slice(0, 3)}`
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, slug, { kind: 'concurrency', capacity: 1, key: [['account']], ...order }, slug)
  await start(slug, [{}])
  const held = await claim(database, worker, 10)
  const waiting = await startApart(slug, [{}, {}, {}])
  expect(await claim(database, worker, 10)).toEqual([])
  await backOff(database, worker, held[0]!, 30_000)
  if (state === 'has ended') await complete(database, worker, [{ task: held[0]! }])
  await database.clock.advance('31s')
  await promote(database)
  if (state === 'runs on') expect(await claim(database, worker, 10)).toEqual([])
  expect(await workOff(worker, state === 'runs on' ? held : [])).toEqual(waiting)
})

test('who waits for a limit keeps its place when its run is paused and resumed', async () => {
  const worker = await workerOf(database, 'resumed', chain('only'))
  await defineLimit(database, 'resumed', { kind: 'concurrency', capacity: 1, key: [['account']] }, 'resumed')
  await start('resumed', [{}])
  const held = await claim(database, worker, 10)
  const waiting = await startApart('resumed', [{}, {}, {}])
  expect(await claim(database, worker, 10)).toEqual([])
  await pauseRun(database, waiting[0]!)
  await resumeRun(database, waiting[0]!)
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await workOff(worker, held)).toEqual(waiting)
})

test('a rate begins nothing while it is held, and gives its times anew', async () => {
  const worker = await workerOf(database, 'paced', chain('only'))
  await defineLimit(database, 'paced', { kind: 'rate', units: 1, per_ms: 1_000 }, 'paced')
  await start('paced', [1, 2, 3])
  const [first] = await claim(database, worker, 10)
  await backOff(database, worker, first!, 10_000)
  await database.clock.advance('3s')
  await promote(database)
  expect(await claim(database, worker, 10)).toEqual([])
  let begun = 0
  for (let seconds = 0; seconds < 20; seconds++) {
    await database.clock.advance('1s')
    await promote(database)
    const tasks = await claim(database, worker, 10)
    expect(tasks.length).toBeLessThan(2)
    begun += tasks.length
  }
  expect(begun).toBe(2)
})

test('a burst begins nothing while its rate is held, and all of it at once afterwards', async () => {
  await database.clock.freeze()
  const worker = await workerOf(database, 'burst', chain('only'))
  await defineLimit(database, 'burst', { kind: 'rate', units: 100, per_ms: 60_000, burst: 20 }, 'burst')
  await start('burst', [1])
  const [first] = await claim(database, worker, 10)
  expect(await backOff(database, worker, first!, 10_000)).toBe('held')
  const runs = await startInputs(
    database,
    'burst',
    Array.from({ length: 22 }, (_, n) => n),
  )
  const due = async () => {
    await promote(database)
    return runsOf(await claim(database, worker, 30))
  }
  expect(await due()).toEqual([])
  await database.clock.advance('9s')
  expect(await due()).toEqual([])
  await database.clock.advance('1s')
  expect(await due()).toEqual(runs.slice(0, 20))
  await database.clock.advance('600ms')
  expect(await due()).toEqual(runs.slice(20, 21))
})

test('an attempt that no longer holds its task, or is under no such limit, holds nothing', async () => {
  const worker = await workerOf(database, 'lost', chain('only'))
  await workerOf(database, 'unlimited', chain('only'))
  const free = await workerFor(database, 'unlimited')
  await defineLimit(database, 'lost', { kind: 'concurrency', capacity: 1 }, 'lost')
  await start('lost', [1])
  await start('unlimited', [1])
  const [task] = await claim(database, worker, 10)
  const [other] = await claim(database, free, 10)
  expect(await backOff(database, worker, task!, 1_000, 'another')).toBe('unlimited')
  expect(await backOff(database, free, other!, 1_000)).toBe('unlimited')
  await complete(database, worker, [{ task: task! }])
  expect(await backOff(database, worker, task!, 1_000)).toBe('lost')
})

test('a rule that only says whose turn it is holds nothing, and who names it is told so', async () => {
  const worker = await workerOf(database, 'fair', chain('only'))
  await defineLimit(database, 'fair', { kind: 'fairness', key: [['customer']] }, 'fair')
  await start('fair', [{ customer: 'a' }, { customer: 'a' }])
  const [task] = await claim(database, worker, 1)
  expect(await backOff(database, worker, task!, 10_000, 'fair')).toBe('unlimited')
  expect(await claim(database, worker, 1)).toHaveLength(1)
})

test.each([
  ['concurrency', { kind: 'concurrency', capacity: 1, key: [['k']] }, 0],
  ['concurrency with another capacity', { kind: 'concurrency', capacity: 1, key: [['k']] }, 1],
  ['a strict order', { kind: 'concurrency', capacity: 1, key: [['k']], fifo: 'block' }, 0],
  ['a rate', { kind: 'rate', units: 1, per_ms: 1_000 }, 0],
])('an operator who says the rule anew lifts what a handler holds: %s', async (what, settings, more) => {
  const slug = `lifted-${what.replaceAll(' ', '-')}`
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, slug, settings, slug)
  const [, ...runs] = await startInputs(database, slug, [1, 2, 3])
  const [first] = await claim(database, worker, 1)
  expect(await backOff(database, worker, first!, 31_536_000_000)).toBe('held')
  await complete(database, worker, [{ task: first! }])
  expect(await claim(database, worker, 10)).toEqual([])
  const [held] = await database.query<{ settings: Record<string, unknown> }>(
    'select settings from millrace.list_limits($1)',
    [slug],
  )
  const capacity = settings.kind === 'concurrency' ? { capacity: 1 + more } : {}
  expect(await defineLimit(database, slug, { ...held!.settings, ...capacity }, slug)).toBe(2)
  await database.clock.advance('1s')
  await promote(database)
  const next = await claim(database, worker, 10)
  expect(runsOf(next)).toEqual(runs.slice(0, 1 + more))
  expect(await defineLimit(database, slug, { ...held!.settings, ...capacity }, slug)).toBe(2)
})

test('what code says anew lifts nothing', async () => {
  const worker = await workerOf(database, 'coded', chain('only'))
  const define = (capacity: number) =>
    database.query(`select millrace.define_code_limits($1, '{coded}')`, [
      JSON.stringify([
        { name: 'coded', settings: { kind: 'concurrency', capacity }, targets: [{ slug: 'coded' }] },
      ]),
    ])
  await define(2)
  await start('coded', [1, 2])
  const [first] = await claim(database, worker, 1)
  expect(await backOff(database, worker, first!, 60_000)).toBe('held')
  await define(3)
  expect(await claim(database, worker, 10)).toEqual([])
})
