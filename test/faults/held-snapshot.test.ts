// Somebody's long transaction: dead entries can't be removed, and claims and what follows them still cost what they cost.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buffersOf } from '../buffers.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import {
  type ClaimedTask,
  claim,
  complete,
  connect,
  fail,
  lanesOf,
  newId,
  registerPipeline,
  registerWorker,
  release,
  type Sql,
  type Worker,
} from '../protocol.ts'
import { isLong, recordFigure } from './effects.ts'

const runs = isLong ? 200_000 : 20_000
const batch = 1_000

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

test(
  'F1 under a snapshot held open, a claim from the last position seen, complete, fail and release read at most three times as much after all these runs as before',
  async () => {
    await registerPipeline(database, 'snapshot', [{ name: 'only' }])
    const worker = await registerWorker(database, { slots: batch })
    let position = await pass(worker, 0, batch)
    const before = await costsFrom(worker, position)

    const reader = await connect(database)
    await reader.query('begin isolation level repeatable read')
    await reader.query('select count(*) from millrace.run')
    for (let done = 0; done < runs; done += batch) position = await pass(worker, position, batch)
    // As the server does by itself now and then: from then on the planner takes the table for an empty one.
    await database.query('analyze millrace.task')
    const after = await costsFrom(worker, position)
    const fromTheStart = await costsFrom(worker, 0)
    const dead = await database.query<{ dead: number }>(
      "select n_dead_tup::int as dead from pg_stat_user_tables where schemaname = 'millrace' and relname = 'task'",
    )
    await reader.query('commit')
    await reader.end()
    recordFigure(
      'F1',
      `of 10 tasks ${Object.entries(before)
        .map(([verb, cost]) => `${verb} reads ${cost} buffers before, ${after[verb]} after`)
        .join(
          ', ',
        )} ${runs} runs under a held snapshot (${dead[0]?.dead} dead tasks); a claim from the beginning ${fromTheStart.claim}`,
    )
    for (const [verb, cost] of Object.entries(before)) expect(after[verb], verb).toBeLessThanOrEqual(3 * cost)
  },
  isLong ? 1_800_000 : 60_000,
)

/** Starts, claims and completes so many runs; answers with the last position seen. */
async function pass(worker: Worker, position: number, count: number): Promise<number> {
  await startMany(count)
  const tasks = await claim(database, worker, count, lanesFrom(worker, position))
  expect(tasks).toHaveLength(count)
  await complete(
    database,
    worker,
    tasks.map((task) => ({ task })),
  )
  return last(tasks)
}

async function startMany(count: number): Promise<void> {
  await database.query(
    'select millrace.start_runs($1::uuid[], array_fill($2::text, array[$3::int]), array_fill(null::int, array[$3::int]), array_fill(null::jsonb, array[$3::int]))',
    [Array.from({ length: count }, () => newId()), 'snapshot', count],
  )
}

const last = (tasks: ClaimedTask[]): number => Math.max(...tasks.map(({ task_id }) => Number(task_id)))

function lanesFrom(worker: Worker, position: number) {
  const lanes = lanesOf(worker.handlers)
  return { ...lanes, positions: lanes.positions.map(() => position) }
}

/** The buffers that each verb on ten tasks reads, a claim from the position; what they took is left for later claims. */
async function costsFrom(worker: Worker, position: number): Promise<Record<string, number>> {
  await startMany(10)
  const connection = await connect(database)
  const take = (sql: Sql) => claim(sql, worker, 10, lanesFrom(worker, position))
  const costs = {
    claim: await buffersOf(connection, (counted) => take(counted)),
    complete: await buffersOf(connection, async (counted, sql) =>
      complete(
        counted,
        worker,
        (await take(sql)).map((task) => ({ task })),
      ),
    ),
    fail: await buffersOf(connection, async (counted, sql) =>
      fail(
        counted,
        worker,
        (await take(sql)).map((task) => ({ task })),
      ),
    ),
    release: await buffersOf(connection, async (counted, sql) => release(counted, worker, await take(sql))),
  }
  await connection.end()
  return costs
}
