// What comes before the clock of each turn: while others had theirs, connections were closed, and a place may be new.
import type { Agent } from '../agent-process.ts'
import type { Size } from '../row.ts'
import type { Stage } from '../stage.ts'
import { allBegan, recorded } from './began.ts'

/** More than any of them has slots or connections in one process. */
const tasksEach = 200
export const warmLimitMs = 2_000

/** As wide as the work that follows; by default some take one piece of work at a time, with seconds between them. */
export function warmWidth({ profile }: Pick<Stage, 'profile'>, width: number): number {
  return profile === 'best' ? width : 1
}

interface WarmDrain {
  readonly keys?: number | undefined
  /** As many as in the work that follows: some make their limits and batches of them. */
  readonly slots?: number
}

/** A short drain, of which nothing is left over. @throws Error where it does not end in time, which is a mishap: nothing was measured yet. */
export async function warmDrain(
  stage: Stage,
  workers: readonly Agent[],
  { limitMs }: Pick<Size, 'limitMs'>,
  { keys = 0, ...slots }: WarmDrain = {},
): Promise<void> {
  const count = warmWidth(stage, tasksEach * workers.length)
  await (await stage.agent('client')).call('enqueueMany', { count, keys })
  await Promise.all(workers.map((worker) => worker.call('startWorker', slots)))
  const done = await allBegan(workers, count, limitMs)
  if (done < count)
    throw new Error(`${done} of the ${count} tasks of its warm-up had begun after ${limitMs / 1_000} s`)
  await recorded(workers[0]!)
  await Promise.all(workers.map((worker) => worker.call('stopWorker')))
}
