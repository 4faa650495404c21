// Errors that a handler had got over, and failed from after all.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  chain,
  claimOne,
  complete,
  registerPipeline,
  registerWorker,
  startRun,
} from '../../../test/protocol.ts'
import { checkpointsOf, writeStepCheckpoints } from '../../../test/waiting.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

test('an error is forgotten by the attempt that holds the task, and a result by nobody', async () => {
  const { steps } = await registerPipeline(database, 'forgetting', chain('only'))
  const worker = await registerWorker(database, { handlers: steps.map(({ handler }) => handler) })
  await startRun(database, 'forgetting')
  const task = await claimOne(database, worker)
  await writeStepCheckpoints(database, worker, task, { names: ['bad'], values: [], error: { name: 'E' } })
  await writeStepCheckpoints(database, worker, task, { names: ['good'], values: [1] })
  const forget = (attempt: number) =>
    database.query('select millrace.forget_errors($1, $2, $3, $4, $5, $6)', [
      worker.id,
      worker.lockKey,
      task.task_id,
      task.step_id,
      attempt,
      ['bad', 'good'],
    ])
  await forget(9)
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ bad: { name: 'E' }, good: 1 })
  await forget(task.attempt)
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ good: 1 })
  await complete(database, worker, [{ task }])
})
