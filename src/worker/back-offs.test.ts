// Backing off as handlers do it: what was told to come back later keeps all workers from asking again too soon.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { defineLimit } from '../../test/limits.ts'
import { asOther, openOn, type Opened } from '../../test/millrace.ts'
import { runOf } from '../../test/protocol.ts'
import { pipeline } from '../sdk/pipeline.ts'

let database: TestDatabase
let opened: Opened
beforeAll(async () => {
  database = await createTestDatabase()
  opened = openOn(database)
})
afterEach(() => opened.close())
afterAll(() => database.close())

test('a step that backs off goes on itself, and no worker begins another one under its key before the time has passed', async () => {
  const began: number[] = []
  const polite = pipeline('polite').step('ask', async ({ backOff }) => {
    began.push(Date.now())
    if (began.length === 1) await backOff('600ms')
    return began.length
  })
  await opened.worker({ pipelines: [polite] })
  await defineLimit(database, 'polite', { kind: 'concurrency', capacity: 1 }, 'polite')
  await opened.worker({ pipelines: [polite], database: asOther(database.url) })
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(polite, [null, null, null])
  await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  expect(began).toHaveLength(3)
  const [row] = await database.query<{ early: boolean }>(
    `select bool_or(a.started_at < s.held_until) as early from millrace.attempt a join millrace.run r on r.id = a.run_id
       cross join millrace.limit_state s
      where r.slug = 'polite' and a.run_id <> (select a.run_id from millrace.attempt a join millrace.run r on r.id = a.run_id where r.slug = 'polite' order by a.started_at limit 1)`,
  )
  expect(row!.early).toBe(false)
})

test('a step that is under no limit cannot back off, and says so', async () => {
  const free = pipeline('free').step('ask', ({ backOff }) => backOff(1_000))
  const named = pipeline('named').step('ask', ({ backOff }) => backOff('1s', 'another'))
  await opened.worker({ pipelines: [free, named] })
  await defineLimit(database, 'named', { kind: 'concurrency', capacity: 1 }, 'named')
  const client = opened.client()
  for (const which of [free, named]) {
    const { run } = await client.start(which, null)
    await client
      .run(run!)
      .result()
      .catch(() => {})
    expect((await runOf(database, run!.id)).error).toMatchObject({ code: 'step_not_limited' })
  }
})
