// From a start to the beginning of its handler in another, idle process.
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { insertHeard } from '../floors/notify.ts'
import { withClient } from '../local-worker.ts'
import { inSequence, quantile, sharedClockMs, takeTurns } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'
import type { Client } from '../product.ts'
import { WorkerProcess } from '../worker-process.ts'

const pauseMs = 15
const unit = 'ms'

export const wakeUp: Figure = {
  name: 'wake-up',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

async function measure(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const samples = bench.size(200)
  const pipeline = oneStep()
  const worker = await WorkerProcess.start({ database: url, pipelines: { 'one-step': ['one'] } })
  try {
    const { floor, ours } = await withClient(url, (client) => {
      const oneStart = async () => {
        await pause(pauseMs)
        return beginDelayMs(worker, client, pipeline)
      }
      return takeTurns(
        bench.rounds,
        () => insertHeard(pool, url, samples),
        () => inSequence(samples, oneStart),
      )
    })
    const row = (share: number) => ({
      floor: floor.map((times) => quantile(times, share)),
      ours: ours.map((times) => quantile(times, share)),
      unit,
    })
    return [
      {
        label: 'start to begin, idle, p50',
        ...row(0.5),
        goal: { atMost: 1.6 },
        note: 'worker in another process',
      },
      { label: 'start to begin, idle, p99', ...row(0.99), goal: { atMost: 3 } },
    ]
  } finally {
    await worker.stop()
  }
}

async function beginDelayMs(
  worker: WorkerProcess,
  client: Client,
  pipeline: ReturnType<typeof oneStep>,
): Promise<number> {
  const began = worker.nextBegin()
  const startedMs = sharedClockMs()
  const started = client.start(pipeline, givenInput)
  const delayMs = (await began) - startedMs
  await started
  return delayMs
}
