// What one attempt stores alone: one row, fenced as every other, taken apart again by who reads it.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  type ClaimedTask,
  type Connection,
  cancelRun,
  chain,
  claimOne,
  complete,
  connect,
  registerPipeline,
  registerWorker,
  startRun,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'
import { checkpointsOf, writeCheckpoints, writeStepCheckpoints } from '../../../test/waiting.ts'

let database: TestDatabase
let one: Connection
let other: Connection
beforeAll(async () => {
  database = await createTestDatabase()
  one = await connect(database)
  other = await connect(database)
})
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
  await one.end()
  await other.end()
  await database.close()
})

async function begin(slug: string): Promise<{ worker: Worker; task: ClaimedTask }> {
  const { steps } = await registerPipeline(database, slug, chain('only'))
  const worker = await registerWorker(database, { handlers: steps.map(({ handler }) => handler) })
  await startRun(database, slug)
  return { worker, task: await claimOne(database, worker) }
}

test('results that came together lie in one row, and are read one by one, before and after what came before and after them', async () => {
  const { worker, task } = await begin('together')
  await writeCheckpoints(database, worker, [{ task, name: 'z', value: 0 }])
  expect(
    await writeStepCheckpoints(database, worker, task, {
      names: ['c', 'b', 'a'],
      values: [1, [2], null],
      place: 1,
    }),
  ).toBeNull()
  expect(
    await writeStepCheckpoints(database, worker, task, { names: ['y'], values: [{ deep: [null] }] }),
  ).toBeNull()
  expect(Object.entries(await checkpointsOf(database, task.run_id, 'only'))).toEqual([
    ['z', 0],
    ['c', 1],
    ['b', [2]],
    ['a', null],
    ['y', { deep: [null] }],
  ])
  expect(
    await database.query('select 1 from millrace.checkpoint where run_id = $1', [task.run_id]),
  ).toHaveLength(3)
  await complete(database, worker, [{ task }])
})

test('a call that is made again keeps what is stored, and says so', async () => {
  const { worker, task } = await begin('again')
  const names = ['a', 'b']
  await writeStepCheckpoints(database, worker, task, { names, values: [1, 2] })
  expect(await writeStepCheckpoints(database, worker, task, { names, values: [3, 4] })).toBe('kept')
  expect(await writeStepCheckpoints(database, worker, task, { names: ['a'], values: [5] })).toBe('kept')
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ a: 1, b: 2 })
  await complete(database, worker, [{ task }])
})

test('JQ-29 what was cancelled, or is another attempt, stores nothing, and a cancel waits for what is being stored', async () => {
  const { worker, task } = await begin('fenced-step')
  const given = { names: ['a', 'b'], values: [1, 2] }
  expect(await writeStepCheckpoints(database, worker, { ...task, attempt: 9 }, given)).toBe('lost')
  expect(await writeStepCheckpoints(database, { ...worker, lockKey: -1 }, task, given)).toBe('lost')
  await one.query('begin')
  await writeStepCheckpoints(one, worker, task, given)
  const cancelling = cancelRun(other, task.run_id)
  await untilBlocked(database)
  await one.query('commit')
  await cancelling
  expect(await writeStepCheckpoints(database, worker, task, { names: ['c'], values: [3] })).toBe('lost')
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ a: 1, b: 2 })
  await complete(database, worker, [{ task }])
})

test('names that are none, values that are missing and errors in a list are refused', async () => {
  const { worker, task } = await begin('refusing')
  for (const given of [
    { names: ['a', ''], values: [1, 2] },
    { names: ['a', 'b'], values: [1] },
    { names: ['a', 'b'], values: [1, 2], error: {} },
    { names: ['x'.repeat(201)], values: [1] },
  ])
    await expect(writeStepCheckpoints(database, worker, task, given)).rejects.toThrow(/names|constraint/)
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({})
  await complete(database, worker, [{ task }])
})
