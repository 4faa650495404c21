// The drain once more, behind tasks that this worker can't take: delayed ones, those of a paused pipeline, those that nobody serves.
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import { drainedPerSecond } from '../drained.ts'
import type { Figure } from '../figure.ts'
import { withClient } from '../local-worker.ts'
import { takeTurns } from '../measure.ts'
import { givenInput, oneStep, threeSteps, waitingFor } from '../pipelines.ts'

const slots = 1_000
const runs = 20_000

export const drainBehindOthers: Figure = {
  name: 'drain-behind-others',
  measure: (bench) =>
    bench.withDatabase((empty) => bench.withDatabase(async (full) => [await measure(bench, empty, full)])),
}

async function measure(bench: Bench, empty: BenchDatabase, full: BenchDatabase) {
  const each = bench.size(100_000)
  await park(full.url, each)
  await full.pool.query('vacuum analyze')
  await full.pool.query('checkpoint')
  const turns = await takeTurns(
    bench.rounds,
    () => drainedPerSecond(bench, { database: empty.url, runs, slots }),
    () => drainedPerSecond(bench, { database: full.url, runs, slots }),
  )
  return {
    label: 'drain behind tasks of others',
    ...turns,
    unit: 'runs/s',
    goal: { atLeast: 0.95 },
    note: `${each.toLocaleString('en-US')} each delayed, paused and unserved, against none; ${slots} slots`,
  }
}

/** As many of each kind. The drained pipeline itself has the delayed ones. */
async function park(database: string, each: number): Promise<void> {
  const inputs = Array.from({ length: each }, () => givenInput)
  const paused = waitingFor(Promise.resolve(), () => {})
  await withClient(database, async (client) => {
    await client.startMany(oneStep(), inputs, { availableAt: new Date(Date.now() + 86_400_000) })
    await client.startMany(paused, inputs)
    await client.pausePipeline(paused.slug)
    await client.startMany(threeSteps(), inputs)
  })
}
