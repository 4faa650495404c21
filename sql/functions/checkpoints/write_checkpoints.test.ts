// Checkpoints: stored once, read in the order in which they came, by nobody but the attempt that holds its task.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  type ClaimedTask,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  registerWorker,
  startRun,
  sweep,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'
import { checkpointsOf, writeCheckpoints } from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()

async function begin(slug: string, runs = 1): Promise<{ worker: Worker; tasks: ClaimedTask[] }> {
  const worker = await workerOf(database, slug, chain('only'), { leaseSeconds: 10 })
  for (let n = 0; n < runs; n++) await startRun(database, slug)
  return { worker, tasks: await claim(database, worker, runs) }
}

test('results of many steps are stored in one call, and read in the order in which they came', async () => {
  const { worker, tasks } = await begin('order', 2)
  const [a, b] = tasks as [ClaimedTask, ClaimedTask]
  await writeCheckpoints(database, worker, [
    { task: a, name: 'z', value: 1 },
    { task: b, name: 'z', value: 2 },
    { task: a, name: 'a', value: { deep: [null] } },
  ])
  await writeCheckpoints(database, worker, [{ task: a, name: 'm' }])
  expect(Object.entries(await checkpointsOf(database, a.run_id, 'only'))).toEqual([
    ['z', 1],
    ['a', { deep: [null] }],
    ['m', null],
  ])
  expect(await checkpointsOf(database, b.run_id, 'only')).toEqual({ z: 2 })
  await complete(
    database,
    worker,
    tasks.map((task) => ({ task })),
  )
})

test('a name that is stored keeps its first value and is answered, those beside it are stored', async () => {
  const { worker, tasks } = await begin('kept')
  const [task] = tasks as [ClaimedTask]
  await writeCheckpoints(database, worker, [{ task, name: 'a', value: 1 }])
  expect(
    await writeCheckpoints(database, worker, [
      { task, name: 'a', value: 2 },
      { task, name: 'b', value: 3 },
    ]),
  ).toEqual([{ kind: 'kept', task_id: task.task_id, name: 'a' }])
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ a: 1, b: 3 })
  await complete(database, worker, [{ task }])
})

test('of a batch only what an attempt has lost is refused', async () => {
  const { worker, tasks } = await begin('partly', 2)
  const [mine, cancelled] = tasks as [ClaimedTask, ClaimedTask]
  await cancelRun(database, cancelled.run_id)
  expect(
    await writeCheckpoints(database, worker, [
      { task: cancelled, name: 'a' },
      { task: mine, name: 'a' },
      { task: { ...mine, attempt: 9 }, name: 'b' },
    ]),
  ).toEqual([
    { kind: 'lost', task_id: cancelled.task_id, name: 'a' },
    { kind: 'lost', task_id: mine.task_id, name: 'b' },
  ])
  expect(await checkpointsOf(database, mine.run_id, 'only')).toEqual({ a: null })
  await complete(
    database,
    worker,
    tasks.map((task) => ({ task })),
  )
})

test('JQ-29 a reclaim waits for a result that is being stored, and the next attempt finds it', async () => {
  const { worker, tasks } = await begin('fenced')
  const [task] = tasks as [ClaimedTask]
  await one.query('begin')
  await writeCheckpoints(one, worker, [{ task, name: 'sent', value: 'id-1' }])
  const cancelling = cancelRun(other, task.run_id)
  await untilBlocked(database)
  await one.query('commit')
  await cancelling
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ sent: 'id-1' })
  expect(await writeCheckpoints(database, worker, [{ task, name: 'more' }])).toMatchObject([{ kind: 'lost' }])
  await complete(database, worker, [{ task }])
})

test('A3 a worker that was swept can store nothing, and its successor reads what it had stored', async () => {
  await database.clock.advance('1 hour')
  const { worker, tasks } = await begin('swept')
  const [task] = tasks as [ClaimedTask]
  await writeCheckpoints(database, worker, [{ task, name: 'a', value: 1 }])
  await database.clock.advance('31 seconds')
  expect(await sweep(database)).toBeGreaterThan(0)
  expect(await writeCheckpoints(database, worker, [{ task, name: 'b', value: 2 }])).toMatchObject([
    { kind: 'lost' },
  ])
  const heir = await registerWorker(database, { handlers: worker.handlers })
  const again = await claimOne(database, heir)
  expect(await checkpointsOf(database, again.run_id, 'only')).toEqual({ a: 1 })
  await writeCheckpoints(database, heir, [{ task: again, name: 'b', value: 3 }])
  expect(await checkpointsOf(database, again.run_id, 'only')).toEqual({ a: 1, b: 3 })
  await complete(database, heir, [{ task: again }])
})
