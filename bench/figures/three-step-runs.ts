// Three-step runs a second: one process is client and worker, and awaits the result of each run that it starts.
import type { BenchDatabase } from '../database.ts'
import type { Bench } from '../bench.ts'
import type { Figure, Goal } from '../figure.ts'
import { threeStepRunsFloor } from '../floors/three-step-runs.ts'
import { inFlight, perSecond, takeTurns } from '../measure.ts'
import { givenInput, threeSteps } from '../pipelines.ts'
import { withLocalWorker } from '../local-worker.ts'

export const threeStepRuns: readonly Figure[] = [
  { name: 'three-step-runs-50', measure: (bench) => measure(bench, 50, { atLeast: 0.45 }) },
  { name: 'three-step-runs-500', measure: (bench) => measure(bench, 500, { atLeast: 0.3 }) },
]

function measure(bench: Bench, width: number, goal: Goal) {
  return bench.withDatabase(async (database) => {
    const turns = await takeTurns(
      bench.rounds,
      () => threeStepRunsFloor(database.pool, width),
      () => runsPerSecond(bench, database, width),
    )
    return [
      {
        label: `three-step runs, ${width} in flight`,
        ...turns,
        unit: 'runs/s',
        goal,
        note: `${2 * width} slots`,
      },
    ]
  })
}

function runsPerSecond(bench: Bench, database: BenchDatabase, width: number): Promise<number> {
  const pipeline = threeSteps()
  const runs = bench.size(20_000)
  return withLocalWorker(
    { database: database.url, pipelines: [pipeline], slots: 2 * width },
    ({ client }) => {
      const oneRun = async () => {
        const { run } = await client.start(pipeline, givenInput)
        await client.run(run!).result()
      }
      return perSecond(runs, () => bench.profiled(() => inFlight(width, runs, oneRun)))
    },
  )
}
