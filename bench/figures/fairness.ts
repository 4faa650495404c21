// Turns between keys: how long small customers wait beside one with a flood of tasks, and what turns cost where nobody has one.
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { withClient, withLocalWorker } from '../local-worker.ts'
import { inSequence, median, quantile, takeTurns } from '../measure.ts'
import { givenInput, timedStep } from '../pipelines.ts'
import type { Client } from '../product.ts'
import { defineRule, drainUnder } from './limits.ts'

const handlerMs = 10
const slots = 50
const small = 50

export const fairness: Figure = {
  name: 'fairness',
  measure: async (bench) => [
    await besideFlood(bench),
    await drainUnder(bench, 'turns between 10,000 keys', undefined, 10_000, [
      { name: 'turns', settings: { kind: 'fairness', key: [['n']] } },
    ]),
  ],
}

/**
 * The floor is the promise itself: two handlers' times, and three times what a start waits where nothing else goes on. So the worker of the flood
 * lives for ours alone.
 */
function besideFlood(bench: Bench): Promise<Row> {
  return bench.withDatabase((idle) =>
    bench.withDatabase(async (flooded) => {
      const flood = bench.size(1_000_000)
      await define(idle)
      await define(flooded)
      const waits = timedStep(handlerMs)
      await withClient(flooded.url, (client) => startFlood(client, waits.pipeline, flood))
      await flooded.pool.query('vacuum analyze')
      const idleWaits = timedStep(handlerMs)
      const turns = await withLocalWorker(
        { database: idle.url, pipelines: [idleWaits.pipeline], slots },
        ({ client }) =>
          takeTurns(
            bench.rounds,
            async () => {
              const measured = await inSequence(20, async () => {
                await pause(handlerMs)
                return idleWaits.wait(client, 1)
              })
              return 2 * handlerMs + 3 * median(measured)
            },
            () => smallWaitMs(flooded, waits),
          ),
      )
      return {
        label: `wait of ${small} small keys, p95`,
        ...turns,
        unit: 'ms',
        goal: { atMost: 1 },
        note: `one task each beside ${flood.toLocaleString('en-US')} of another key; ${slots} slots, handlers of ${handlerMs} ms`,
      }
    }),
  )
}

function smallWaitMs({ url }: BenchDatabase, waits: ReturnType<typeof timedStep>): Promise<number> {
  return withLocalWorker({ database: url, pipelines: [waits.pipeline], slots }, async ({ client }) => {
    const burst = (from: number) =>
      Promise.all(Array.from({ length: small }, (_, n) => waits.wait(client, from + n)))
    // Those of other keys, so that the worker has connected and has its hands full of the flood.
    await burst(small + 1)
    return quantile(await burst(1), 0.95)
  })
}

function define(database: BenchDatabase): Promise<void> {
  const settings = { kind: 'fairness', key: [['n']] }
  return defineRule(database, { name: 'turns', settings }, timedStep(handlerMs).pipeline.slug)
}

async function startFlood(client: Client, pipeline: ReturnType<typeof timedStep>['pipeline'], count: number) {
  for (let left = count; left > 0; left -= 10_000)
    await client.startMany(
      pipeline,
      Array.from({ length: Math.min(left, 10_000) }, () => ({ ...givenInput, n: 0 })),
    )
}
