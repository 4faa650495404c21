// A claim while somebody's old snapshot keeps the entries of all tasks that ended since, against one without.
import pg from 'pg'
import { BareWorker } from '../bare-worker.ts'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { withClient, withLocalWorker } from '../local-worker.ts'
import { inSequence, median, takeTurns } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'
import type { Client, PipelineDefinition } from '../product.ts'
import { Begins } from './hand-over.ts'

const room = 10
const bulk = 1_000
const startsPerCall = 20_000

export const claimUnderSnapshot: Figure = {
  name: 'claim-under-snapshot',
  measure: (bench) =>
    bench.withDatabase((plain) => bench.withDatabase((held) => measure(bench, plain, held))),
}

async function measure(bench: Bench, plain: BenchDatabase, held: BenchDatabase): Promise<Row[]> {
  const dead = bench.size(300_000)
  const snapshot = new pg.Client(held.url)
  await snapshot.connect()
  try {
    const below = await endMany(plain, dead)
    await plain.pool.query('vacuum analyze millrace.task')
    await snapshot.query('begin isolation level repeatable read')
    await snapshot.query('select count(*) from millrace.task')
    const above = await endMany(held, dead)
    const claims = (fullLook: boolean) =>
      takeTurns(
        bench.rounds,
        () => claimMs(bench, plain, below, fullLook),
        () => claimMs(bench, held, above, fullLook),
      )
    const handOvers = () =>
      takeTurns(
        bench.rounds,
        () => handOverMs(bench, plain),
        () => handOverMs(bench, held),
      )
    const count = dead.toLocaleString('en-US')
    return [
      {
        label: 'claim under an old snapshot, p50',
        ...(await claims(false)),
        unit: 'ms',
        goal: { atMost: 3 },
        note: `${count} dead entries against none; from the last position seen`,
      },
      {
        label: 'the same, a full look',
        ...(await claims(true)),
        unit: 'ms',
        note: 'at each wake-up, each heartbeat',
      },
      {
        label: 'the same, a start handed over',
        ...(await handOvers()),
        unit: 'ms',
        note: 'start to begin in one process',
      },
    ]
  } finally {
    await snapshot.end()
  }
}

/** Starts, claims and completes so many tasks; the worker keeps the position to which it came. */
async function endMany({ url, pool }: BenchDatabase, tasks: number): Promise<BareWorker> {
  const pipeline = oneStep()
  const worker = await BareWorker.register(pool, pipeline)
  await withClient(url, async (client) => {
    for (let left = tasks; left > 0; left -= startsPerCall) {
      await client.startMany(
        pipeline,
        Array.from({ length: Math.min(left, startsPerCall) }, () => givenInput),
      )
    }
  })
  await endAll(worker)
  return worker
}

async function endAll(worker: BareWorker): Promise<void> {
  for (;;) {
    const tasks = await worker.claim(bulk, false)
    if (tasks.length === 0) return
    await worker.complete(tasks)
  }
}

function claimMs(
  bench: Bench,
  { url }: BenchDatabase,
  worker: BareWorker,
  fullLook: boolean,
): Promise<number> {
  const pipeline = oneStep()
  return withClient(url, async (client) =>
    median(await inSequence(bench.size(100), () => oneClaim(client, pipeline, worker, fullLook))),
  )
}

async function oneClaim(
  client: Client,
  pipeline: PipelineDefinition,
  worker: BareWorker,
  fullLook: boolean,
): Promise<number> {
  await client.startMany(
    pipeline,
    Array.from({ length: room }, () => givenInput),
  )
  const begun = performance.now()
  const tasks = await worker.claim(room, fullLook)
  const time = performance.now() - begun
  if (tasks.length !== room) throw new Error(`${room} tasks were started, ${tasks.length} claimed.`)
  await worker.complete(tasks)
  return time
}

function handOverMs(bench: Bench, { url }: BenchDatabase): Promise<number> {
  const begins = new Begins()
  return withLocalWorker({ database: url, pipelines: [begins.pipeline] }, async ({ client }) =>
    median(await inSequence(bench.size(50), () => begins.delayMs(client))),
  )
}
