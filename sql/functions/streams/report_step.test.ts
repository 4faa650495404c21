// What executors outside say of a step while it runs: fenced, bounded, and written once.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { cancelRun, chain, registerPipeline, startRun, startStep, sweep } from '../../../test/protocol.ts'
import { connect } from '../../../src/sdk/client.ts'
import { connectOutside } from '../../../src/sdk/outside.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await registerPipeline(database, 'reported', chain('fetch', 'store'))
})
afterAll(() => database.close())

async function heldStep(): Promise<string> {
  const { run_id: run } = await startRun(database, 'reported')
  await startStep(database, run, 'fetch', { leaseSeconds: 60 })
  return run
}

const say = (run: string, kind: string | null, body: unknown, number: number | null = null, attempt = 1) =>
  database.query("select millrace.report_step($1, 'fetch', $2, $3, $4, number => $5)", [
    run,
    attempt,
    kind,
    JSON.stringify(body),
    number,
  ])

test('an executor outside shows what a worker shows, in TypeScript as in SQL', async () => {
  const run = await heldStep()
  const outside = connectOutside({ database: database.url })
  const client = connect({ database: database.url })
  const hold = { runId: run, step: 'fetch', item: -1, attempt: 1 }
  await outside.progress(hold, 3, 10, 'page 3')
  await outside.setMetadata(hold, { source: 'a.csv', gone: null })
  await outside.metric(hold, 'found', 7, { source: 'web' })
  await outside.write(hold, { word: 'one' }, { number: 0 })
  await say(run, 'metric', { name: 'plain', value: 1 })
  await say(run, 'part', 'two', 1)
  expect(await client.run(run).progress()).toMatchObject({
    steps: [{ step: 'fetch', attempt: 1, done: 3, total: 10, note: 'page 3' }],
    metadata: { source: 'a.csv' },
    metrics: [
      { name: 'found', labels: { source: 'web' }, last: 7 },
      { name: 'plain', labels: {}, last: 1 },
    ],
    parts: 2,
  })
  await outside.complete(hold)
  await outside.close()
  await client.close()
})

test('an executor outside that lost its step says nothing more, nor a part of a run that is being ended', async () => {
  const run = await heldStep()
  await say(run, 'part', 'in time')
  await cancelRun(database, run)
  await expect(say(run, 'part', 'too late')).rejects.toMatchObject({ code: 'MR008' })
  const lost = await heldStep()
  await database.clock.advance('2 minutes')
  await sweep(database)
  for (const [kind, body] of [
    ['progress', { done: 1 }],
    ['metadata', {}],
    ['metric', { name: 'm', value: 1 }],
    ['part', 1],
  ] as const)
    await expect(say(lost, kind, body)).rejects.toMatchObject({ code: 'MR008' })
  await database.clock.reset()
})

test('a part that is sent again under its number is written once; one without a number each time', async () => {
  const run = await heldStep()
  for (const number of [0, 0, 1, 0, 1, 2]) await say(run, 'part', number, number)
  for (const word of ['x', 'x']) await say(run, 'part', word)
  await say(run, 'part', 2, 2)
  await say(run, 'part', 3, 3)
  const parts = await database.query(
    'select value from millrace.stream_part where run_id = $1 order by position',
    [run],
  )
  expect(parts.map(({ value }) => value)).toEqual([0, 1, 2, 'x', 'x', 3])
})

test.each<[string, string | null, unknown]>([
  ['a kind that is none', 'word', 1],
  ['no kind', null, 1],
  ['progress that is no object', 'progress', 3],
  ['progress without done', 'progress', { total: 3 }],
  ['progress below 0', 'progress', { done: -1 }],
  ['a total that is a text', 'progress', { done: 1, total: '3' }],
  ['metadata that is a list', 'metadata', [1]],
  ['a metric without a value', 'metric', { name: 'm' }],
  ['a metric named as none can be', 'metric', { name: 'No', value: 1 }],
  ['a label that is a number', 'metric', { name: 'm', value: 1, labels: { a: 1 } }],
  ['labels that are a list', 'metric', { name: 'm', value: 1, labels: [] }],
  ['a part beyond 64 KB', 'part', 'x'.repeat(65_536)],
  ['metadata beyond 64 KB', 'metadata', { a: 'x'.repeat(65_536) }],
])('%s is refused, and changes nothing', async (_, kind, body) => {
  const run = await heldStep()
  await expect(say(run, kind, body)).rejects.toMatchObject({ code: 'MR014' })
  expect(await database.query('select from millrace.run_metadata where run_id = $1', [run])).toEqual([])
  expect(await database.query('select from millrace.step_progress where run_id = $1', [run])).toEqual([])
})
