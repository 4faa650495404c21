// One three-step run with nothing else going on, from its start to its result.
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { Figure, Row } from '../figure.ts'
import { idleCommits } from '../floors/commits.ts'
import { withClient, withLocalWorker } from '../local-worker.ts'
import { inSequence, median, millisecondsOf, takeTurns } from '../measure.ts'
import { givenInput, threeSteps } from '../pipelines.ts'
import type { Client } from '../product.ts'
import { WorkerProcess } from '../worker-process.ts'

const pauseMs = 10
const pipeline = threeSteps()

export const idleRun: Figure = {
  name: 'idle-run',
  measure: async (bench) => [await inOneProcess(bench), await inTwoProcesses(bench)],
}

function inOneProcess(bench: Bench): Promise<Row> {
  return bench.withDatabase(async ({ url, pool }) => {
    const samples = bench.size(200)
    const turns = await withLocalWorker({ database: url, pipelines: [pipeline] }, ({ client }) =>
      takeTurns(
        bench.rounds,
        async () => median((await idleCommits(pool, samples)).five),
        () => runMs(client, samples),
      ),
    )
    return {
      label: 'three-step run, idle, p50',
      ...turns,
      unit: 'ms',
      goal: { atMost: 1.8 },
      note: 'client and worker in one process',
    }
  })
}

function inTwoProcesses(bench: Bench): Promise<Row> {
  return bench.withDatabase(async ({ url, pool }) => {
    const samples = bench.size(200)
    const worker = await WorkerProcess.start({
      database: url,
      pipelines: { 'three-steps': ['one', 'two', 'three'] },
    })
    try {
      const turns = await withClient(url, (client) =>
        takeTurns(
          bench.rounds,
          async () => median((await idleCommits(pool, samples)).five),
          () => runMs(client, samples),
        ),
      )
      return { label: 'the same in two processes', ...turns, unit: 'ms' }
    } finally {
      await worker.stop()
    }
  })
}

async function runMs(client: Client, samples: number): Promise<number> {
  const oneRun = async () => {
    await pause(pauseMs)
    return millisecondsOf(async () => {
      const { run } = await client.start(pipeline, givenInput)
      await client.run(run!).result()
    })
  }
  return median(await inSequence(samples, oneRun))
}
