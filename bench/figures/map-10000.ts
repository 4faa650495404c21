// A run that becomes ten thousand tasks and comes together again, from its start to its result.
import type { Figure } from '../figure.ts'
import { withLocalWorker } from '../local-worker.ts'
import { millisecondsOf, repeat } from '../measure.ts'
import { fanOutOf, givenInput } from '../pipelines.ts'

const items = 10_000
const slots = 1_000

export const map10000: Figure = {
  name: 'map-10000',
  measure: (bench) =>
    bench.withDatabase(async ({ url }) => {
      const pipeline = fanOutOf(items)
      const ours = await withLocalWorker({ database: url, pipelines: [pipeline], slots }, ({ client }) => {
        const oneRun = async () => {
          const { run } = await client.start(pipeline, givenInput)
          await client.run(run!).result()
        }
        return repeat(bench.rounds, async () => (await bench.profiled(() => millisecondsOf(oneRun))) / 1_000)
      })
      return [
        {
          label: 'map of 10,000 and its join',
          ours,
          unit: 's',
          goal: { atMost: 1.5 },
          note: `${slots} slots`,
        },
      ]
    }),
}
