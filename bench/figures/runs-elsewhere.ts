// Three-step runs a second where one process starts them and awaits their results, and the worker is another process with as many slots as it has by default.
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { threeStepRunsFloor } from '../floors/three-step-runs.ts'
import { withClient } from '../local-worker.ts'
import { inFlight, perSecond, takeTurns } from '../measure.ts'
import { givenInput, threeSteps } from '../pipelines.ts'
import { WorkerProcess } from '../worker-process.ts'

const width = 50

export const runsElsewhere: Figure = {
  name: 'runs-elsewhere',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

async function measure(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const runs = bench.size(5_000)
  const pipeline = threeSteps()
  const worker = await WorkerProcess.start({
    database: url,
    pipelines: { 'three-steps': ['one', 'two', 'three'] },
    silent: true,
  })
  try {
    const turns = await withClient(url, (client) => {
      const oneRun = async () => {
        const { run } = await client.start(pipeline, givenInput)
        await client.run(run!).result()
      }
      return takeTurns(
        bench.rounds,
        () => threeStepRunsFloor(pool, width),
        () => perSecond(runs, () => inFlight(width, runs, oneRun)),
      )
    })
    return [
      {
        label: `three-step runs, ${width} in flight, elsewhere`,
        ...turns,
        unit: 'runs/s',
        note: 'client and worker apart, 20 slots',
      },
    ]
  } finally {
    await worker.stop()
  }
}
