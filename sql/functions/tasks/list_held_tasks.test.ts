// What a worker asks when an answer was lost: it begins what it did not know of, and what ended meanwhile is not left with it.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  attemptsOf,
  cancelRun,
  chain,
  claim,
  complete,
  fail,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  startRun,
  type Task,
  taskOf,
  type Worker,
} from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
  await database.close()
})

/** What the worker holds and may begin; having named what it knows, it gives back what it never will. */
const held = async (worker: Worker, known?: Task[]) => {
  const tasks = await database.query<Task & { input: unknown; aborted: boolean }>(
    'select * from millrace.list_held_tasks($1, $2, $3)',
    [worker.id, worker.lockKey, known !== undefined],
  )
  const isKnown = (task: Task) =>
    known?.some(
      (own) => own.task_id === task.task_id && own.step_id === task.step_id && own.attempt === task.attempt,
    )
  const unbegun = tasks.filter((task) => task.aborted && !isKnown(task))
  await database.query('select millrace.release_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6)', [
    worker.id,
    worker.lockKey,
    unbegun.map(({ task_id }) => task_id),
    unbegun.map(({ step_id }) => step_id),
    unbegun.map(({ attempt }) => attempt),
    'its run ended before the worker knew of it',
  ])
  return tasks.filter(({ aborted }) => !aborted)
}

const left = (run: string) => database.query('select id from millrace.task where run_id = $1', [run])

test('PP-C7 a claim whose answer was lost is told again, and one of a run that was cancelled meanwhile is given back', async () => {
  await registerPipeline(database, 'lost', chain('only'))
  const worker = await registerWorker(database)
  const live = await startRun(database, 'lost', { n: 1 })
  const cancelled = await startRun(database, 'lost')
  await claim(database, worker, 2)
  await cancelRun(database, cancelled.run_id)
  expect(await held(worker, [])).toMatchObject([{ run_id: live.run_id, attempt: 1, input: { n: 1 } }])
  expect(await left(cancelled.run_id)).toEqual([])
  expect(await attemptsOf(database, cancelled.run_id)).toMatchObject([
    { outcome: 'cancelled', reason: 'its run ended before the worker knew of it' },
  ])
  expect((await runOf(database, cancelled.run_id)).state).toBe('cancelled')
  await cancelRun(database, live.run_id)
  await held(worker, [])
})

test('PP-C7 an aborted task that the worker knows stays with it, and how it ends is still recorded', async () => {
  await registerPipeline(database, 'known', chain('only'))
  const worker = await registerWorker(database)
  const { run_id } = await startRun(database, 'known')
  const tasks = await claim(database, worker, 1)
  await cancelRun(database, run_id)
  expect(await held(worker, tasks)).toEqual([])
  expect(await held(worker)).toEqual([])
  expect(await left(run_id)).toHaveLength(1)
  expect(await complete(database, worker, [{ task: tasks[0]!, output: 'done' }])).toEqual([])
  expect(await outcomesOf(database, run_id)).toEqual(['only completed'])
})

test("PP-C7 knowing a step is not knowing the one that took its place: a chain's next step keeps the task's id", async () => {
  await registerPipeline(database, 'chained', chain('a', 'b'))
  const worker = await registerWorker(database)
  const { run_id } = await startRun(database, 'chained')
  const [first] = await claim(database, worker, 1)
  const [next] = await complete(database, worker, [{ task: first! }])
  expect(taskOf(next, run_id).task_id).toBe(first!.task_id)
  await cancelRun(database, run_id)
  expect(await held(worker, [first!])).toEqual([])
  expect(await outcomesOf(database, run_id)).toEqual(['a completed', 'b cancelled'])
})

test('PP-C7 what is left of a run that failed is given back as well, and nothing of another worker', async () => {
  await registerPipeline(database, 'failed', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: [] },
  ])
  const [worker, other] = [await registerWorker(database), await registerWorker(database)]
  const { run_id } = await startRun(database, 'failed')
  const [failing] = await claim(database, other, 1)
  await claim(database, worker, 1)
  const [others] = await claim(database, other, 1)
  await fail(database, other, [{ task: failing!, error: { code: 'E', message: 'over', retryable: false } }])
  expect(await held(worker, [])).toEqual([])
  expect(await left(run_id)).toEqual([{ id: others!.task_id }])
  expect(await held(other, [])).toEqual([])
  expect(await left(run_id)).toEqual([])
})

test('A3 a worker that is gone holds nothing', async () => {
  await registerPipeline(database, 'gone', chain('only'))
  const worker = await registerWorker(database)
  const { run_id } = await startRun(database, 'gone')
  await claim(database, worker, 1)
  await database.query('select millrace.stop_worker($1, $2)', [worker.id, worker.lockKey])
  expect(await held(worker, [])).toEqual([])
  await cancelRun(database, run_id)
})
