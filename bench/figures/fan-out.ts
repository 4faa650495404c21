// A run that becomes a thousand tasks, or ten thousand, and comes together again, from its start to its result.
import type { Figure } from '../figure.ts'
import { withLocalWorker } from '../local-worker.ts'
import { millisecondsOf, repeat } from '../measure.ts'
import { fanOutOf, givenInput } from '../pipelines.ts'

const slots = 1_000

export const fanOut = figureOf({
  name: 'fan-out',
  label: 'fan-out of 1,000 and join',
  items: 1_000,
  secondsMost: 0.2,
})

export const map10000 = figureOf({
  name: 'map-10000',
  label: 'map of 10,000 and its join',
  items: 10_000,
  secondsMost: 1.5,
})

interface Size {
  readonly name: string
  readonly label: string
  readonly items: number
  readonly secondsMost: number
}

function figureOf({ name, label, items, secondsMost }: Size): Figure {
  return {
    name,
    measure: (bench) =>
      bench.withDatabase(async ({ url }) => {
        const pipeline = fanOutOf(items)
        const ours = await withLocalWorker({ database: url, pipelines: [pipeline], slots }, ({ client }) => {
          const oneRun = async () => {
            const { run } = await client.start(pipeline, givenInput)
            await client.run(run!).result()
          }
          return repeat(
            bench.rounds,
            async () => (await bench.profiled(() => millisecondsOf(oneRun))) / 1_000,
          )
        })
        return [{ label, ours, unit: 's', goal: { atMost: secondsMost }, note: `${slots} slots` }]
      }),
  }
}
