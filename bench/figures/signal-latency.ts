// From a signal to the handler that waits for it, against a start to its handler: both hear of it by a notification.
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { inSequence, quantile, takeTurns } from '../measure.ts'
import { Moments, pauseMs, type Startable, startMs } from '../moments.ts'
import { oneStep } from '../pipelines.ts'
import { type Client, connect, pipeline, startWorker } from '../product.ts'

const unit = 'ms'

export const signalLatency: Figure = {
  name: 'signal-latency',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

async function measure(bench: Bench, database: BenchDatabase): Promise<Row[]> {
  const samples = bench.size(200)
  const moments = new Moments()
  const one = oneStep(() => moments.mark())
  const waiting = pipeline('waiting').step('wait', async ({ durable }) => {
    await durable.signal('go')
    moments.mark()
  })
  const worker = await startWorker({ database: database.url, pipelines: [one, waiting] })
  // Under another address, so that a start is not handed over to the worker of this process.
  const client = connect({ database: elsewhere(database.url) })
  try {
    const { floor, ours } = await takeTurns(
      bench.rounds,
      () => inSequence(samples, () => startMs(client, one, moments)),
      () => inSequence(samples, () => signalMs(client, waiting, moments, database)),
    )
    const row = (share: number) => ({
      floor: floor.map((times) => quantile(times, share)),
      ours: ours.map((times) => quantile(times, share)),
      unit,
    })
    return [
      {
        label: 'signal to handler, idle, p50',
        ...row(0.5),
        goal: { atMost: 2 },
        note: 'against start to handler',
      },
      { label: 'signal to handler, idle, p99', ...row(0.99) },
    ]
  } finally {
    await client.close()
    await worker.stop()
  }
}

async function signalMs(
  client: Client,
  waiting: Startable,
  moments: Moments,
  { pool }: BenchDatabase,
): Promise<number> {
  const { run } = await client.start(waiting, null)
  for (let state = ''; state !== 'waiting'; ) {
    await pause(pauseMs)
    state = (await pool.query<{ state: string }>('select state from millrace.run where id = $1', [run!.id]))
      .rows[0]!.state
  }
  const resumed = moments.next()
  const sentMs = performance.now()
  const sent = client.signal('go', null, { run: run!.id })
  const ms = (await resumed) - sentMs
  await sent
  return ms
}

function elsewhere(url: string): string {
  const other = new URL(url)
  other.searchParams.set('application_name', 'elsewhere')
  return other.href
}
