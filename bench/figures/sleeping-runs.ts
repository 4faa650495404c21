// A million runs asleep: what a claim costs beside them, and how late a sleep ends.
import { BareWorker } from '../bare-worker.ts'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { withClient, withLocalWorker } from '../local-worker.ts'
import { everyRound, inSequence, median, quantile, takeTurns } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'
import { pipeline } from '../product.ts'

const room = 10
const unit = 'ms'

export const sleepingRuns: Figure = {
  name: 'sleeping-runs',
  measure: (bench) =>
    bench.withDatabase((empty) => bench.withDatabase((full) => measure(bench, empty, full))),
}

async function measure(bench: Bench, empty: BenchDatabase, full: BenchDatabase): Promise<Row[]> {
  const asleep = bench.size(1_000_000)
  const one = oneStep()
  const workers = [
    await BareWorker.register(empty.pool, one),
    await BareWorker.register(full.pool, one),
  ] as const
  const late = await oneSleep(full)
  await putToSleep(full, late, asleep)
  const claims = await takeTurns(
    bench.rounds,
    () => claimMs(bench, empty, workers[0]),
    () => claimMs(bench, full, workers[1]),
  )
  const count = asleep.toLocaleString('en-US')
  return [
    {
      label: 'claim beside runs asleep, p50',
      ...claims,
      unit,
      goal: { atMost: 1.1 },
      note: `${count} runs asleep against none`,
    },
    {
      label: 'a sleep ends late by, p99',
      ours: await latenessMs(bench, full),
      unit,
      goal: { atMost: 250 },
      note: `one worker, ${count} others asleep`,
    },
  ]
}

/** A run that sleeps for long: the others are its copies. */
async function oneSleep({ url, pool }: BenchDatabase): Promise<string> {
  const sleeping = pipeline('asleep').sleep('nap', '300d')
  return withLocalWorker({ database: url, pipelines: [sleeping] }, async ({ client }) => {
    const { run } = await client.start(sleeping, null)
    for (;;) {
      const { rows } = await pool.query('select 1 from millrace.wait where run_id = $1', [run!.id])
      if (rows.length > 0) return run!.id
    }
  })
}

/** Copies a sleeping run so many times, row by row, as if each had been started and had parked. */
async function putToSleep({ pool }: BenchDatabase, runId: string, count: number): Promise<void> {
  await pool.query(
    `create table public.asleep as select gen_random_uuid() as id from generate_series(1, ${count})`,
  )
  // Version 7, of today: the partitions are those that runs of now have.
  await pool.query(
    `update public.asleep set id = (substr($1::text, 1, 14) || '7' || substr(id::text, 16))::uuid`,
    [runId],
  )
  for (const table of ['run', 'attempt', 'waiting_task', 'wait']) {
    const { rows } = await pool.query<{ name: string }>(
      `select quote_ident(column_name) as name from information_schema.columns
        where table_schema = 'millrace' and table_name = $1 and is_identity = 'NO' and is_generated = 'NEVER'`,
      [table],
    )
    const names = rows.map(({ name }) => name)
    const key = table === 'run' ? 'id' : 'run_id'
    const values = names.map((name) => (name === key ? 'a.id' : `t.${name}`))
    await pool.query(
      `insert into millrace.${table} (${names.join(', ')})
       select ${values.join(', ')} from millrace.${table} t cross join public.asleep a where t.${key} = $1`,
      [runId],
    )
  }
  await pool.query('vacuum analyze')
  // They fell asleep long ago: what was written then is not written out while claims are measured.
  await pool.query('checkpoint')
}

function claimMs(bench: Bench, { url }: BenchDatabase, worker: BareWorker): Promise<number> {
  const one = oneStep()
  return withClient(url, async (client) => {
    const oneClaim = async () => {
      await client.startMany(
        one,
        Array.from({ length: room }, () => givenInput),
      )
      const begun = performance.now()
      const tasks = await worker.claim(room, false)
      const time = performance.now() - begun
      if (tasks.length !== room) throw new Error(`${room} tasks were started, ${tasks.length} claimed.`)
      await worker.complete(tasks)
      return time
    }
    return median(await inSequence(bench.size(100), oneClaim))
  })
}

/** The p99 of each round, by the database's clock: due time against the beginning of the attempt that woke up. */
async function latenessMs(bench: Bench, { url, pool }: BenchDatabase): Promise<number[]> {
  const samples = bench.size(200)
  const napping = pipeline('napping').step('nap', async ({ durable }) => {
    await durable.sleep(500 + 2_000 * Math.random())
  })
  return withLocalWorker({ database: url, pipelines: [napping] }, ({ client }) =>
    everyRound(bench.rounds, async () => {
      const starts = await client.startMany(
        napping,
        Array.from({ length: samples }, () => null),
      )
      const ids = starts.map(({ run }) => run!.id)
      await Promise.all(ids.map((id) => client.run(id).result()))
      const { rows } = await pool.query<{ ms: number }>(
        `select extract(epoch from started_at - ready_at)::float8 * 1000 as ms
           from millrace.attempt where run_id = any ($1) and attempt = 2`,
        [ids],
      )
      return quantile(
        rows.map(({ ms }) => ms),
        0.99,
      )
    }),
  )
}
