// Processes that are killed between, and in the middle of, durable operations: what was stored is not done again.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { allEnded } from './effects.ts'
import { holdPipelines, pieceTable } from './pipelines.ts'
import { until } from '../deadline.ts'
import { mayJudge, WorkerPrograms } from './worker-program.ts'

const { pieces } = holdPipelines(() => {})

let database: TestDatabase
let client: Client
const programs = new WorkerPrograms()

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(pieceTable)
  client = connect({ database: database.url })
})
afterEach(() => programs.killAll())
afterAll(async () => {
  await client.close()
  await database.close()
})

test('JQ-29 a process that is killed between its durable operations goes on after the last one that is stored; one that is killed in the middle of an effect repeats it with the same intent, under the same key', async () => {
  const options = { database: database.url, leaseSeconds: 3, heartbeatMs: 200, slots: 1 }
  // It serves nothing of this: it judges who is dead.
  const judge = await programs.start({ ...options, queues: ['nothing-here'] })
  await mayJudge(database, judge.worker)
  const { run } = await client.start(pieces, { pieces: 6, deaths: 4 })
  let victim = programs.begin(options)
  await until(
    'the end of the run',
    async () => {
      if (victim.ended) victim = programs.begin(options)
      const [row] = await database.query('select state from millrace.run where id = $1', [run!.id])
      return row?.['state'] === 'completed'
    },
    60_000,
  )
  await allEnded(database, [run!.id])
  expect(
    await database.query('select outcome from millrace.attempt where run_id = $1 order by attempt', [
      run!.id,
    ]),
  ).toEqual([...Array.from({ length: 4 }, () => ({ outcome: 'reclaimed' })), { outcome: 'completed' }])
  const done = await database.query<{ piece: number; attempts: number[]; keys: number; intents: number }>(
    `select piece, array_agg(attempt order by attempt) as attempts, count(distinct key)::int as keys,
        count(distinct intent)::int as intents
       from public.piece where run_id = $1 group by piece order by piece`,
    [run!.id],
  )
  // Attempts 2 and 4 died before their piece was stored, 1 and 3 right after.
  expect(done.map(({ piece, attempts }) => [piece, attempts])).toEqual([
    [0, [1]],
    [1, [1]],
    [2, [2, 3]],
    [3, [3]],
    [4, [4, 5]],
    [5, [5]],
  ])
  for (const { keys, intents } of done) expect([keys, intents]).toEqual([1, 1])
}, 80_000)
