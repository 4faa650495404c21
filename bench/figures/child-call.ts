// A run that another calls: from the call in its handler to the output there.
import { setTimeout as pause } from 'node:timers/promises'
import type { Figure } from '../figure.ts'
import { withLocalWorker } from '../local-worker.ts'
import { inSequence, median, millisecondsOf, takeTurns } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'
import { type Client, pipeline } from '../product.ts'

const pauseMs = 10

export const childCall: Figure = {
  name: 'child-call',
  measure: (bench) =>
    bench.withDatabase(async ({ url }) => {
      const samples = bench.size(200)
      const child = oneStep()
      const times: number[] = []
      let calledMs = 0
      const parent = pipeline('calling').step('call', async ({ durable, attempt }) => {
        // The handler begins again when the output is there.
        if (attempt === 1) calledMs = performance.now()
        await durable.call(child, givenInput)
        times.push(performance.now() - calledMs)
      })
      const turns = await withLocalWorker({ database: url, pipelines: [child, parent] }, ({ client }) =>
        takeTurns(
          bench.rounds,
          () => runMs(client, child, samples),
          async () => {
            times.length = 0
            await bench.profiled(() => runMs(client, parent, samples))
            return median(times)
          },
        ),
      )
      return [
        {
          label: 'child call, idle, p50',
          ...turns,
          unit: 'ms',
          goal: { atMost: 2 },
          note: 'from the call to its output, against a run of one step',
        },
      ]
    }),
}

async function runMs(
  client: Client,
  given: Parameters<Client['start']>[0],
  samples: number,
): Promise<number> {
  const oneRun = async () => {
    await pause(pauseMs)
    return millisecondsOf(async () => {
      const { run } = await client.start(given, givenInput)
      await client.run(run!).result()
    })
  }
  return median(await inSequence(samples, oneRun))
}
