// Progress: always a number from 0 to 100 that only grows while a run goes on.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  registerPipeline,
  registerWorker,
  type StepSpec,
  startRun,
  taskOf,
  type Worker,
} from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const progressOf = async (run: string): Promise<number> => {
  const [row] = await database.query<{ progress: number }>('select millrace.run_progress($1) as progress', [
    run,
  ])
  return row?.progress ?? Number.NaN
}

async function pipelineWithWorker(slug: string, steps: StepSpec[]): Promise<Worker> {
  const registered = await registerPipeline(database, slug, steps)
  return registerWorker(database, { handlers: registered.steps.slice(0, 1).map(({ handler }) => handler) })
}

test('PP-D10 progress is the share of final steps, from 0 to 100', async () => {
  const worker = await pipelineWithWorker('four', chain('a', 'b', 'c', 'd'))
  const { run_id } = await startRun(database, 'four')
  const seen = [await progressOf(run_id)]
  let task = { ...(await claimOne(database, worker)) }
  for (let n = 0; n < 4; n++) {
    const [next] = await complete(database, worker, [n === 1 ? { task, skipReason: 'no' } : { task }])
    seen.push(await progressOf(run_id))
    task = { ...task, ...next, run_id }
  }
  expect(seen).toEqual([0, 25, 50, 75, 100])
})

test('PP-D10 a map counts by its items, before, during and after; an empty one is whole', async () => {
  const steps: StepSpec[] = [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
    { name: 'beside', after: [] },
    { name: 'both', kind: 'map', over: 'list', after: ['list', 'beside'] },
  ]
  const worker = await pipelineWithWorker('mapped', steps)
  const { run_id } = await startRun(database, 'mapped')
  const [list, beside] = await claim(database, worker, 2)
  if (list === undefined || beside === undefined) throw new Error('two steps begin')
  const items = await complete(database, worker, [{ task: list, output: [1, 2, 3, 4] }], { room: 10 })
  expect(await progressOf(run_id)).toBe(25)
  await complete(database, worker, [{ task: taskOf(items[0], run_id) }])
  expect(await progressOf(run_id)).toBe(31)
  const more = await complete(database, worker, [{ task: beside }], { room: 10 })
  expect(await progressOf(run_id)).toBe(56)
  for (const task of [...items.slice(1), ...more])
    await complete(database, worker, [{ task: { ...task, run_id } }])
  expect(await progressOf(run_id)).toBe(100)

  const empty = await startRun(database, 'mapped')
  await complete(database, worker, [{ task: await claimOne(database, worker), output: [] }])
  expect(await progressOf(empty.run_id)).toBe(50)
})

test('PP-D10 a run that was cancelled or never began is not whole, and a run that does not exist is an error', async () => {
  await pipelineWithWorker('ended', chain('a'))
  const { run_id } = await startRun(database, 'ended')
  await cancelRun(database, run_id)
  expect(await progressOf(run_id)).toBe(0)
  await expect(progressOf('01890000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'MR006' })
})
