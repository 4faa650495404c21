// Maps: what they go over, and what becomes of the run where that is no list.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  type ClaimedTask,
  type Connection,
  cancelRun,
  claim,
  complete,
  connect,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  type StepSpec,
  startRun,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

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

async function workerOf(slug: string, steps: StepSpec[]): Promise<Worker> {
  const registered = await registerPipeline(database, slug, steps)
  return registerWorker(database, { handlers: [...new Set(registered.steps.map(({ handler }) => handler))] })
}

/** The claimed task of a step. */
async function taskOfStep(tasks: ClaimedTask[], step: string): Promise<ClaimedTask> {
  const rows = await database.query<{ id: number }>(
    'select id from millrace.step_definition where step = $1',
    [step],
  )
  const found = tasks.find((task) => rows.some(({ id }) => id === task.step_id))
  if (found === undefined) throw new Error(`${step} was not claimed`)
  return found
}

test.each([
  ['is ready at once', []],
  ['waits for another step too', ['sibling']],
])(
  'a map that %s and fails its run never waits in a circle with a sibling that completes',
  async (_, also) => {
    const slug = `circle-${also.length}`
    const worker = await workerOf(slug, [
      { name: 'source', after: [] },
      { name: 'sibling', after: [] },
      { name: 'each', kind: 'map', over: 'source', after: ['source', ...also] },
      { name: 'join', after: ['each', 'sibling'] },
    ])
    const { run_id } = await startRun(database, slug)
    const tasks = await claim(database, worker, 2)
    const source = await taskOfStep(tasks, 'source')
    const sibling = await taskOfStep(tasks, 'sibling')
    // The sibling's own transaction has its task, and comes to the join while the other fails the run.
    await one.query('begin')
    await one.query('select from millrace.task where id = $1 for update', [sibling.task_id])
    const failing = complete(other, worker, [{ task: source, output: 'no list' }])
    await untilBlocked(database)
    expect(await complete(one, worker, [{ task: sibling, output: 1 }])).toEqual([])
    await one.query('commit')
    await failing
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'failed',
      error: { code: 'map_not_a_list', step: 'each' },
    })
    expect(await outcomesOf(database, run_id)).toEqual([
      'each failed',
      'sibling completed',
      'source completed',
    ])
  },
)

test('a map that fails its run never waits in a circle with a cancel of the same run', async () => {
  const worker = await workerOf('cancel-circle', [
    { name: 'sibling', after: [] },
    { name: 'source', after: [] },
    { name: 'each', kind: 'map', over: 'source', after: ['source'] },
  ])
  const { run_id } = await startRun(database, 'cancel-circle')
  const tasks = await claim(database, worker, 2)
  const sibling = await taskOfStep(tasks, 'sibling')
  // Whoever cancels has come as far as the first task, in the order of their ids.
  await one.query('begin')
  await one.query('select from millrace.task where id = $1 for update', [sibling.task_id])
  const failing = complete(other, worker, [{ task: await taskOfStep(tasks, 'source'), output: 'no list' }])
  await untilBlocked(database)
  expect(await cancelRun(one, run_id)).toBe(true)
  await one.query('commit')
  await failing
  expect((await runOf(database, run_id)).state).toBe('cancelled')
})
