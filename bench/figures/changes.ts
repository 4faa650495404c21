// Watched tables: what a watch costs those who write, and how soon a committed change is at its handler.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { inSequence, median, millisecondsOf, quantile, takeTurns } from '../measure.ts'
import { Moments, pauseMs, startMs } from '../moments.ts'
import { oneStep } from '../pipelines.ts'
import { applyWatch, connect, pipeline, planWatches, poolCaller, startWorker, watch } from '../product.ts'

const bulkRows = 100_000

export const changes: Figure = {
  name: 'changes',
  measure: async (bench) => [
    ...(await bench.withDatabase((database) => measureWriting(bench, database))),
    ...(await bench.withDatabase((database) => measureLatency(bench, database))),
  ],
}

async function measureWriting(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const follow = pipeline('follow').step('note', () => 1)
  for (const table of ['plain', 'watched'])
    await pool.query(
      `create table ${table} as select i as id, 'title ' || i as title, 'company ' || i as company, 0 as seen from generate_series(1, ${bulkRows}) i`,
    )
  for (const table of ['plain', 'watched']) await pool.query(`alter table ${table} add primary key (id)`)
  const triggers = [watch('watched', { pipeline: follow, columns: ['title', 'company'], on: ['update'] })]
  const worker = await startWorker({ database: url, pipelines: [follow], triggers })
  await worker.stop()
  await apply(pool)
  const updates = bench.size(1_000)
  const single = await takeTurns(
    bench.rounds,
    () => oneRowMs(pool, 'plain', updates),
    () => oneRowMs(pool, 'watched', updates),
  )
  const bulk = await takeTurns(
    bench.rounds,
    () => bulkMs(pool, 'plain'),
    () => bulkMs(pool, 'watched'),
  )
  return [
    {
      label: 'update of one row, watched',
      ...single,
      unit: 'ms',
      goal: { atMost: 1.25 },
      note: 'each is a change; against a table without a watch',
    },
    {
      label: 'update of 100,000 rows, 10 match',
      ...bulk,
      unit: 'ms',
      goal: { atMost: 1.1 },
      note: 'the others change columns that are not watched',
    },
  ]
}

async function apply(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  const caller = poolCaller({ query: client.query.bind(client) } as pg.Pool, {
    prepare: false,
    database: 'bench',
  })
  await client.query('begin')
  for (const plan of await planWatches(caller, null)) await applyWatch(caller, plan)
  await client.query('commit')
  client.release()
}

/** The median of single updates, each in a transaction of its own. */
async function oneRowMs(pool: pg.Pool, table: string, updates: number): Promise<number> {
  const client = await pool.connect()
  const text = `update ${table} set title = title || 'x' where id = $1`
  const times = await inSequence(updates, () => {
    const id = 1 + Math.floor(Math.random() * bulkRows)
    return millisecondsOf(() => client.query({ name: `bench_${table}`, text, values: [id] }))
  })
  await client.query('delete from millrace.change')
  client.release()
  return median(times)
}

async function bulkMs(pool: pg.Pool, table: string): Promise<number> {
  return median(await inSequence(3, () => oneBulkMs(pool, table)))
}

async function oneBulkMs(pool: pg.Pool, table: string): Promise<number> {
  // Each begins with as many dead rows as the other.
  await pool.query(`vacuum full ${table}`)
  await pool.query('checkpoint')
  return millisecondsOf(() =>
    pool.query(
      `update ${table} set seen = seen + 1, title = case when id <= 10 then title || 'x' else title end`,
    ),
  )
}

async function measureLatency(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const samples = bench.size(200)
  await pool.query('create table watched (id int primary key, n int)')
  await pool.query('insert into watched values (1, 0)')
  const moments = new Moments()
  const one = oneStep(() => moments.mark())
  const follow = pipeline('follow').step('note', () => moments.mark())
  const worker = await startWorker({
    database: url,
    pipelines: [one, follow],
    triggers: [watch('watched', { pipeline: follow })],
  })
  // Under another address, so that a start is not handed over to the worker of this process.
  const other = new URL(url)
  other.searchParams.set('application_name', 'elsewhere')
  const client = connect({ database: other.href })
  try {
    await apply(pool)
    const { floor, ours } = await takeTurns(
      bench.rounds,
      () => inSequence(samples, () => startMs(client, one, moments)),
      () => inSequence(samples, () => changeMs(pool, moments)),
    )
    const row = (share: number) => ({
      floor: floor.map((times) => quantile(times, share)),
      ours: ours.map((times) => quantile(times, share)),
      unit: 'ms',
    })
    return [
      {
        label: 'committed change to handler, idle, p50',
        ...row(0.5),
        goal: { atMost: 2 },
        note: 'against start to handler',
      },
      { label: 'committed change to handler, idle, p99', ...row(0.99) },
    ]
  } finally {
    await client.close()
    await worker.stop()
  }
}

/** Counted from when the update is sent, as a start is. */
async function changeMs(pool: pg.Pool, moments: Moments): Promise<number> {
  await pause(pauseMs)
  const begun = moments.next()
  const sentMs = performance.now()
  const sent = pool.query('update watched set n = n + 1 where id = 1')
  const ms = (await begun) - sentMs
  await sent
  return ms
}
