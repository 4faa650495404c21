// The drain once more, in a database with a million finished runs against one without.
import type { Bench } from '../bench.ts'
import { drainedPerSecond } from '../drained.ts'
import type { Figure } from '../figure.ts'
import { fillHistory } from '../history.ts'
import { takeTurns } from '../measure.ts'
import { oneStep } from '../pipelines.ts'
import { withLocalWorker } from '../local-worker.ts'
import type { BenchDatabase } from '../database.ts'

const slots = 1_000
const runs = 20_000

export const drainBesideHistory: Figure = {
  name: 'drain-beside-history',
  measure: (bench) =>
    bench.withDatabase((empty) => bench.withDatabase(async (full) => [await measure(bench, empty, full)])),
}

async function measure(bench: Bench, empty: BenchDatabase, full: BenchDatabase) {
  const finished = bench.size(1_000_000)
  // A worker registers the pipeline and makes the partitions.
  await withLocalWorker({ database: full.url, pipelines: [oneStep()] }, async () => {})
  await fillHistory(full.pool, 'one-step', finished)
  const turns = await takeTurns(
    bench.rounds,
    () => drainedPerSecond(bench, { database: empty.url, runs, slots }),
    () => drainedPerSecond(bench, { database: full.url, runs, slots }),
  )
  return {
    label: 'drain beside finished runs',
    ...turns,
    unit: 'runs/s',
    goal: { atLeast: 0.95 },
    note: `${finished.toLocaleString('en-US')} finished runs against none; ${slots} slots`,
  }
}
