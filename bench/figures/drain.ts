// The drain of 20,000 one-step runs, history kept, with the number of slots that does it best.
import type { Bench } from '../bench.ts'
import { drainedPerSecond } from '../drained.ts'
import type { Figure, Row } from '../figure.ts'
import { claimAndDelete } from '../floors/claim-and-delete.ts'
import { takeTurns } from '../measure.ts'

const slotsTried = [500, 1_000, 2_000]

export const drain: Figure = {
  name: 'drain',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

async function measure(
  bench: Bench,
  { url, pool }: { url: string; pool: Parameters<typeof claimAndDelete>[0] },
): Promise<Row[]> {
  const drained = (slots: number) => drainedPerSecond(bench, { database: url, runs: 20_000, slots })
  await drained(Math.max(...slotsTried))
  let best = { slots: 0, rate: 0 }
  for (const slots of slotsTried) {
    const rate = await drained(slots)
    if (rate > best.rate) best = { slots, rate }
  }
  const turns = await takeTurns(
    bench.rounds,
    () => claimAndDelete(pool),
    () => drained(best.slots),
  )
  return [
    {
      label: 'drain of 20,000 one-step runs',
      ...turns,
      unit: 'runs/s',
      goal: { atLeast: 0.2 },
      note: `${best.slots} slots`,
    },
  ]
}
