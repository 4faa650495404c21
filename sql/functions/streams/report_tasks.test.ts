// What steps say while they run, at the SQL level: the fence, the order of a stream's parts, and the bounds, with several workers at once.
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  cancelRun,
  chain,
  claimOne,
  complete,
  type Connection,
  connect,
  heartbeat,
  pruneAll,
  registerPipeline,
  registerWorker,
  type Sql,
  startRun,
  sweep,
  type Task,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

let database: TestDatabase
const connections: Connection[] = []
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.end()))
  await database.close()
})

interface Said {
  readonly task: Task
  readonly kind: 'progress' | 'metadata' | 'metric' | 'part'
  readonly body: unknown
  readonly number?: number
}

interface Refusal {
  readonly task_id: number
  readonly code: string
}

function report(sql: Sql, worker: Worker, said: readonly Said[]): Promise<Refusal[]> {
  return sql.query<Refusal & pg.QueryResultRow>(
    'select * from millrace.report_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::jsonb[], $8::int[])',
    [
      worker.id,
      worker.lockKey,
      said.map(({ task }) => task.task_id),
      said.map(({ task }) => task.step_id),
      said.map(({ task }) => task.attempt),
      said.map(({ kind }) => kind),
      said.map(({ body }) => JSON.stringify(body)),
      said.map(({ number }) => number ?? null),
    ],
  )
}

const part = (task: Task, body: unknown): Said => ({ task, kind: 'part', body })

const metric = (task: Task, name: string, value = 1, labels = {}): Said => ({
  task,
  kind: 'metric',
  body: { name, value, labels },
})

const partsOf = (run: string) =>
  database.query<{ position: number; value: unknown; attempt: number }>(
    'select position, value, attempt from millrace.stream_part where run_id = $1 order by position',
    [run],
  )

const seriesOf = (run: string) =>
  database.query<{ name: string; value: number; item: number }>(
    'select name, value, item from millrace.run_metric where run_id = $1 order by name, item',
    [run],
  )

let pipelines = 0

interface Held {
  readonly run: string
  readonly worker: Worker
  readonly task: Task
}

/** A run of a pipeline of its own, whose one step a worker of its own holds. */
async function heldRun(leaseSeconds = 1_000_000): Promise<Held> {
  const slug = `reporting-${++pipelines}`
  await registerPipeline(database, slug, chain('only'))
  const { run_id: run } = await startRun(database, slug)
  const handlers = await database.query<{ id: number }>('select id from millrace.handler where slug = $1', [
    slug,
  ])
  const worker = await registerWorker(database, { handlers: handlers.map(({ id }) => id), leaseSeconds })
  return { run, worker, task: await claimOne(database, worker) }
}

async function connected(): Promise<Connection> {
  const connection = await connect(database)
  connections.push(connection)
  return connection
}

test('A3 an attempt that was reclaimed writes no progress, metadata, metric or part, while the next one does', async () => {
  const { run, worker: zombie, task } = await heldRun(1)
  const heir = await registerWorker(database, { handlers: zombie.handlers, leaseSeconds: 1_000_000 })
  await database.clock.advance('2s')
  await sweep(database)
  const again = await claimOne(database, heir)
  expect(again).toMatchObject({ run_id: run, attempt: 2 })
  const words = (held: Task, value: number): Said[] => [
    { task: held, kind: 'progress', body: { done: value } },
    { task: held, kind: 'metadata', body: { said_by: value } },
    metric(held, 'found', value),
    part(held, value),
  ]
  expect(await report(database, heir, words(again, 2))).toEqual([])
  expect(await report(database, zombie, words(task, 1))).toEqual([
    { task_id: task.task_id, code: 'attempt_lost' },
  ])
  // Not even under the name of the one that holds it now.
  expect(await report(database, heir, words(task, 1))).toEqual([
    { task_id: task.task_id, code: 'attempt_lost' },
  ])
  expect(await partsOf(run)).toEqual([{ position: 0, value: 2, attempt: 2 }])
  expect(await seriesOf(run)).toEqual([{ name: 'found', value: 2, item: -1 }])
  expect(
    await database.query(
      `select p.done, p.attempt, m.metadata from millrace.step_progress p join millrace.run_metadata m using (run_id) where run_id = $1`,
      [run],
    ),
  ).toEqual([{ done: 2, attempt: 2, metadata: { said_by: 2 } }])
})

test('A3 nothing is reclaimed while its words are being written, and what comes after it is refused', async () => {
  const { run, worker, task } = await heldRun(1)
  const writing = await connected()
  await writing.query('begin')
  expect(await report(writing, worker, [part(task, 'in time')])).toEqual([])
  await database.clock.advance('2s')
  expect(await sweep(database)).toBe(0)
  await writing.query('commit')
  expect(await sweep(database)).toBe(1)
  expect(await report(database, worker, [part(task, 'too late')])).toEqual([
    { task_id: task.task_id, code: 'attempt_lost' },
  ])
  expect(await partsOf(run)).toEqual([{ position: 0, value: 'in time', attempt: 1 }])
})

test('two workers write into one stream at once: positions have no gap, and the second waits for the commit of the first', async () => {
  await registerPipeline(database, 'two-writers', [
    { name: 'left', after: [] },
    { name: 'right', after: [] },
  ])
  const { run_id: run } = await startRun(database, 'two-writers')
  const handlers = await database.query<{ id: number }>(
    `select id from millrace.handler where slug = 'two-writers'`,
  )
  const worker = () =>
    registerWorker(database, { handlers: handlers.map(({ id }) => id), leaseSeconds: 1_000_000 })
  const [one, two] = [await worker(), await worker()]
  const [first, second] = [await claimOne(database, one), await claimOne(database, two)]
  const [a, b] = [await connected(), await connected()]
  await report(database, one, [part(first, 'before')])
  await a.query('begin')
  await report(a, one, [part(first, 'a0'), part(first, 'a1')])
  const waiting = report(b, two, [part(second, 'b0')])
  await untilBlocked(database)
  expect(await partsOf(run)).toHaveLength(1)
  await report(a, one, [part(first, 'a2')])
  await a.query('commit')
  expect(await waiting).toEqual([])
  expect((await partsOf(run)).map(({ position, value }) => [position, value])).toEqual([
    [0, 'before'],
    [1, 'a0'],
    [2, 'a1'],
    [3, 'a2'],
    [4, 'b0'],
  ])
})

test('batches of two workers that name the same runs in another order do not deadlock', async () => {
  await registerPipeline(database, 'crossed', [
    { name: 'left', after: [] },
    { name: 'right', after: [] },
  ])
  const handlers = (
    await database.query<{ id: number }>(`select id from millrace.handler where slug = 'crossed'`)
  ).map(({ id }) => id)
  for (let n = 0; n < 20; n++) await startRun(database, 'crossed')
  const worker = () => registerWorker(database, { handlers, leaseSeconds: 1_000_000 })
  const [one, two] = [await worker(), await worker()]
  const [up, down]: [Task[], Task[]] = [[], []]
  for (let n = 0; n < 20; n++) {
    up.push(await claimOne(database, one))
    down.unshift(await claimOne(database, two))
  }
  expect(up.map(({ run_id }) => run_id)).toEqual(down.map(({ run_id }) => run_id).reverse())
  for (let turn = 0; turn < 10; turn++) {
    const say = (worker: Worker, tasks: Task[]) =>
      report(
        database,
        worker,
        tasks.map((task) => part(task, turn)),
      )
    expect(await Promise.all([say(one, up), say(two, down)])).toEqual([[], []])
  }
})

test('parts that come again, since their answer was lost, are written once; the next attempt counts its own', async () => {
  const { run, worker, task } = await heldRun(1)
  const numbered = (held: Task, ...numbers: number[]): Said[] =>
    numbers.map((number) => ({ task: held, kind: 'part', body: `${held.attempt}.${number}`, number }))
  await report(database, worker, numbered(task, 0, 1))
  await report(database, worker, numbered(task, 0, 1))
  await report(database, worker, [
    ...numbered(task, 1, 2),
    { task, kind: 'progress', body: { done: 1 } },
    ...numbered(task, 3),
  ])
  const heir = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 1_000_000 })
  await database.clock.advance('2s')
  await sweep(database)
  const again = await claimOne(database, heir)
  await report(database, heir, numbered(again, 0))
  await report(database, heir, numbered(again, 0, 1))
  expect((await partsOf(run)).map(({ position, value }) => [position, value])).toEqual([
    [0, '1.0'],
    [1, '1.1'],
    [2, '1.2'],
    [3, '1.3'],
    [4, '2.0'],
    [5, '2.1'],
  ])
  // What the attempt before it said of its progress is not its own.
  expect(
    await database.query('select attempt, done, parts from millrace.step_progress where run_id = $1', [run]),
  ).toEqual([{ attempt: 2, done: null, parts: 2 }])
})

test('of a run that is being ended no part is written any more, while its progress still is', async () => {
  const { run, worker, task } = await heldRun()
  await report(database, worker, [part(task, 'before')])
  await cancelRun(database, run)
  expect((await heartbeat(database, worker, [task])).map(({ kind }) => kind)).toContain('abort')
  expect(
    await report(database, worker, [part(task, 'after'), { task, kind: 'progress', body: { done: 3 } }]),
  ).toEqual([])
  expect(await partsOf(run)).toHaveLength(1)
})

test('FO-15 a run takes 20 names of metrics and 100 with their labels, whichever worker brings them; the last value stands', async () => {
  const { run, worker, task } = await heldRun()
  const names = Array.from({ length: 25 }, (_, n) => metric(task, `m${String(n).padStart(2, '0')}`))
  expect(await report(database, worker, names)).toEqual([{ task_id: task.task_id, code: 'metrics_too_many' }])
  expect((await seriesOf(run)).map(({ name }) => name)).toEqual(
    Array.from({ length: 20 }, (_, n) => `m${String(n).padStart(2, '0')}`),
  )
  expect(await report(database, worker, [metric(task, 'm00', 7), metric(task, 'm00', 8)])).toEqual([])
  expect((await seriesOf(run))[0]).toEqual({ name: 'm00', value: 8, item: -1 })
  const labelled = Array.from({ length: 81 }, (_, n) => metric(task, 'm01', n, { page: String(n) }))
  expect(await report(database, worker, labelled)).toHaveLength(1)
  expect(await seriesOf(run)).toHaveLength(100)
})

test('metadata is laid over what is there, null takes a name away, and a patch beyond 64 KB leaves it as it was', async () => {
  const { run, worker, task } = await heldRun()
  const say = (body: unknown) => report(database, worker, [{ task, kind: 'metadata', body }])
  const metadata = async () =>
    (await database.query('select metadata from millrace.run_metadata where run_id = $1', [run]))[0]
  await say({ source: 'a.csv', rows: { read: 1 } })
  await say({ rows: { read: 2 }, source: null, phase: 'reading' })
  expect(await metadata()).toEqual({ metadata: { rows: { read: 2 }, phase: 'reading' } })
  await say({ half: 'x'.repeat(40_000) })
  expect(await say({ other: 'x'.repeat(40_000), phase: 'never' })).toEqual([
    { task_id: task.task_id, code: 'json_too_large' },
  ])
  expect(await metadata()).toMatchObject({ metadata: { phase: 'reading' } })
  expect(await say({ half: null, other: 'x'.repeat(40_000) })).toEqual([])
})

test('a stream takes 100,000 parts, and says so of those beyond', async () => {
  const { run, worker, task } = await heldRun()
  await report(database, worker, [part(task, 'first')])
  // As if 99,997 more had been written: their number is kept apart from them.
  await database.query('update millrace.run_metadata set parts = 99998 where run_id = $1', [run])
  const [a, b, c] = ['a', 'b', 'c'].map((value) => part(task, value))
  expect(await report(database, worker, [a!, b!, c!])).toEqual([
    { task_id: task.task_id, code: 'stream_full' },
  ])
  expect((await partsOf(run)).slice(1)).toMatchObject([
    { position: 99_998, value: 'a' },
    { position: 99_999, value: 'b' },
  ])
})

test('who follows a stream is notified of parts from the moment that it looks, and nobody else is', async () => {
  const { run, worker, task } = await heldRun()
  const watcher = '00000000-0000-4000-8000-000000000001'
  const follow = (sql: Sql, first: number) =>
    sql.query('select position, value from millrace.follow_stream($1, $2, 100, $3)', [run, first, watcher])
  // Parts under way while it registers are waited for: either it reads them, or it is told.
  const [writing, following] = [await connected(), await connected()]
  await writing.query('begin')
  await report(writing, worker, [part(task, 'under way')])
  const looked = follow(following, 0)
  await untilBlocked(database)
  await writing.query('commit')
  expect(await looked).toEqual([{ position: 0, value: 'under way' }])
  const heard: string[] = []
  const client = await database.pool.connect()
  try {
    client.on('notification', ({ payload: told }) => heard.push(told ?? ''))
    await client.query('listen millrace_part')
    await report(database, worker, [part(task, 'told')])
    const other = await heldRun()
    await report(database, other.worker, [part(other.task, 'to nobody')])
    await client.query('select 1')
    expect(heard).toEqual([run])
  } finally {
    client.release(true)
  }
})

test('positions and sizes that make no sense are refused, and so is a run that is not there', async () => {
  const { run } = await heldRun()
  const follow = (id: string, first: number | null, most = 1) =>
    database.query('select * from millrace.follow_stream($1, $2, $3)', [id, first, most])
  await expect(follow(run, -1)).rejects.toMatchObject({ code: 'MR014' })
  await expect(follow(run, null)).rejects.toMatchObject({ code: 'MR014' })
  await expect(follow(run, 0, 1_001)).rejects.toMatchObject({ code: 'MR014' })
  await expect(follow('00000000-0000-7000-8000-000000000000', 0)).rejects.toMatchObject({ code: 'MR006' })
  expect(await follow(run, 0)).toMatchObject([{ state: 'running', position: null }])
})

test('JQ-8 what a run has shown leaves the history with the run, by the week and in batches', async () => {
  const counts = async (run: string) => {
    const rows = await database.query<{ n: number }>(
      `select (select count(*)::int from millrace.run_metadata where run_id = $1) + (select count(*)::int from millrace.step_progress where run_id = $1)
            + (select count(*)::int from millrace.run_metric where run_id = $1) + (select count(*)::int from millrace.stream_part where run_id = $1) as n`,
      [run],
    )
    return rows[0]?.n
  }
  const shown = async (): Promise<string> => {
    const { run, worker, task } = await heldRun()
    const words: Said[] = [
      { task, kind: 'progress', body: { done: 1 } },
      { task, kind: 'metadata', body: { a: 1 } },
      metric(task, 'found'),
      part(task, 'word'),
    ]
    expect(await report(database, worker, words)).toEqual([])
    expect(await counts(run)).toBe(4)
    await complete(database, worker, [{ task, output: null }])
    return run
  }
  const byBatch = await shown()
  await database.query(`update millrace.pipeline set retention_days = 1`)
  await database.clock.advance('3 days')
  await pruneAll(database)
  expect(await counts(byBatch)).toBe(0)

  await database.query(`update millrace.pipeline set retention_days = null`)
  await database.clock.advance('1 week')
  await database.query('select millrace.create_partitions()')
  const byWeek = await shown()
  const [kept] = await database.query<{ partition: string }>(
    'select tableoid::regclass::text as partition from millrace.stream_part where run_id = $1',
    [byWeek],
  )
  expect(kept?.partition).toMatch(/stream_part_\d{4}w\d{2}$/)
  await database.clock.advance('2 years')
  await pruneAll(database)
  expect(await counts(byWeek)).toBe(0)
})
