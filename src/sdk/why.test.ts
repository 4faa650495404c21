// What a client is told about a run that waits.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { openOn } from '../../test/millrace.ts'
import { pipeline } from './pipeline.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

test('E12 a run whose version nobody serves says so, and a worker that serves it brings it to its end', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const greet = pipeline('greet').step('say', () => 'Hello')
  const answer = await client.start(greet, null)
  const run = client.run<typeof greet>(answer.run!)
  expect(await run.why()).toEqual({
    reason: 'needs_version',
    sentence: "'say' needs version 1 of 'greet' (queue default): no live worker serves it.",
    step: 'say',
    item: null,
    dueAt: null,
  })
  await opened.worker({ pipelines: [greet] })
  expect(await run.result()).toBe('Hello')
  expect(await run.why()).toMatchObject({ reason: 'ended', step: null })
  expect(await run.why('say')).toMatchObject({ reason: 'final', step: 'say' })
  await expect(run.why('sing')).rejects.toMatchObject({ code: 'step_not_in_run' })
  await opened.close()
})
