// A run that becomes a thousand tasks, or ten thousand, and comes together again, from its start to its result.
import type { Figure } from '../figure.ts'
import { withLocalWorker } from '../local-worker.ts'
import { millisecondsOf, repeat } from '../measure.ts'
import { batchesOf, fanOutOf, givenInput } from '../pipelines.ts'

export const fanOut = figureOf({
  name: 'fan-out',
  label: 'fan-out of 1,000 and join',
  pipeline: fanOutOf(1_000),
  slots: 1_000,
  secondsMost: 0.2,
})

export const map10000 = figureOf({
  name: 'map-10000',
  label: 'map of 10,000 and its join',
  pipeline: fanOutOf(10_000),
  slots: 1_000,
  secondsMost: 1.5,
})

/** A hundred calls of a handler, in as many slots as a worker has unless told. */
export const batches10000 = figureOf({
  name: 'batches-10000',
  label: 'map of 10,000 in batches of 100',
  pipeline: batchesOf(10_000),
  slots: 20,
  secondsMost: 3,
})

interface Size {
  readonly name: string
  readonly label: string
  readonly pipeline: ReturnType<typeof fanOutOf> | ReturnType<typeof batchesOf>
  readonly slots: number
  readonly secondsMost: number
}

function figureOf({ name, label, pipeline, slots, secondsMost }: Size): Figure {
  return {
    name,
    measure: (bench) =>
      bench.withDatabase(async ({ url }) => {
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
