// Moving runs through the client: from the version of one code to that of another, in pages, with what stays and why.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { openOn } from '../../test/millrace.ts'
import { pipeline } from './pipeline.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

test('E12 runs of code that nobody serves any more are moved to the code that a worker has, and end there', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const before = pipeline('greet').step('say', () => 'never')
  const after = pipeline('greet')
    .step('say', () => 'Hello')
    .step('send', ({ steps }) => `${steps.say}, sent`)
  const answers = await client.startMany(
    before,
    Array.from({ length: 250 }, () => null),
  )
  await opened.worker({ pipelines: [after] })
  const [first] = answers
  expect(await client.run(first!.run!).why()).toMatchObject({ reason: 'needs_version' })
  expect(await client.migrateRuns('greet', { from: 1, limit: 120, dryRun: true })).toMatchObject({
    moved: { length: 120 },
    left: [],
    more: true,
  })
  const moved = await client.migrateRuns(after, { from: 1 })
  expect(moved).toMatchObject({ moved: { length: 250 }, left: [], more: false })
  expect(new Set(moved.moved)).toEqual(new Set(answers.map(({ run }) => run!.id)))
  expect(await client.run(first!.run!).result()).toBe('Hello, sent')
  expect(await client.run(answers.at(-1)!.run!).result()).toBe('Hello, sent')
  await opened.close()
})

test('what stays is told run by run, and a version that does not exist is an error', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const before = pipeline('split-up').step('one', () => 1)
  const { run } = await client.start(before, null)
  await client.start(
    pipeline('split-up').step('two', () => 2),
    null,
  )
  expect(await client.migrateRuns('split-up', { from: 1, filter: { input: null } })).toEqual({
    moved: [],
    left: [{ run: run!.id, reason: "'one' is gone" }],
    more: false,
  })
  expect(await client.migrateRuns('split-up', { from: 1, filter: { tenant: 'nobody' } })).toMatchObject({
    left: [],
  })
  await expect(client.migrateRuns('split-up', { from: 1, to: 9 })).rejects.toMatchObject({
    code: 'pipeline_unknown',
  })
  await expect(client.migrateRuns('split-up', { from: 2 })).rejects.toMatchObject({
    code: 'argument_invalid',
  })
  await opened.close()
})

test('starts by name are split among versions, and what became of each is told', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const plain = pipeline('offer').step('show', () => 'plain')
  const bold = pipeline('offer', { timeout: '1m' }).step('show', () => 'bold')
  await opened.worker({ pipelines: [plain] })
  await opened.worker({ pipelines: [bold] })
  await client.splitPipeline('offer', { 1: 1, 2: 1 }, { key: 'user' })
  const outputs = async () => {
    const answers = await client.startMany(
      'offer',
      Array.from({ length: 30 }, (_, n) => ({ user: n })),
    )
    return Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
  }
  const first = await outputs()
  expect(new Set(first)).toEqual(new Set(['plain', 'bold']))
  expect(await outputs()).toEqual(first)
  const outcomes = await client.pipelineOutcomes('offer')
  const plains = first.filter((output) => output === 'plain').length
  expect(outcomes).toMatchObject([
    { version: 1, share: 0.5, completed: plains * 2, medianMs: expect.any(Number) },
    { version: 2, share: 0.5, completed: (30 - plains) * 2 },
  ])
  await client.activatePipeline('offer', 2)
  const { run } = await client.start('offer', { user: 1 })
  expect(await client.run(run!.id).result()).toBe('bold')
  await opened.close()
})
