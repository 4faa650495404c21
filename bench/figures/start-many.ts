// startMany of 20,000 against rows inserted in batches and nothing else.
import type { Figure } from '../figure.ts'
import { batchedInsert } from '../floors/batched-insert.ts'
import { withClient } from '../local-worker.ts'
import { perSecond, takeTurns } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'

const runs = 20_000

export const startMany: Figure = {
  name: 'start-many',
  measure: (bench) =>
    bench.withDatabase(async ({ url, pool }) => {
      const pipeline = oneStep()
      const inputs = Array.from({ length: runs }, () => givenInput)
      const turns = await withClient(url, async (client) => {
        // Its own statement prepared, its pipeline registered, as the floor's table is made before it is filled.
        await client.startMany(pipeline, [givenInput])
        return takeTurns(
          bench.rounds,
          () => batchedInsert(pool),
          () => perSecond(runs, () => bench.profiled(() => client.startMany(pipeline, inputs))),
        )
      })
      return [{ label: 'startMany of 20,000', ...turns, unit: 'rows/s', goal: { atLeast: 0.2 } }]
    }),
}
