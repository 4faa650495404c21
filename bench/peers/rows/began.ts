// What a parent waits for: that tasks began in the processes of a peer, and that their ends are recorded.
import { setTimeout as pause } from 'node:timers/promises'
import type { Agent } from '../agent-process.ts'

/** How many had begun when all had, or when the time was over; counted from the last start of the workers. */
export function allBegan(workers: readonly Agent[], count: number, limitMs: number): Promise<number> {
  const total = () => workers.reduce((sum, worker) => sum + worker.begun, 0)
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(total()), limitMs)
    const look = () => {
      if (total() < count) return
      clearTimeout(timer)
      resolve(total())
    }
    for (const worker of workers) worker.onBegun(look)
    look()
  })
}

export async function recorded(worker: Agent): Promise<void> {
  const ends = performance.now() + 60_000
  while (!(await worker.call('allRecorded'))) {
    if (performance.now() > ends)
      throw new Error('All tasks have begun, and the end of some is never recorded.')
    await pause(5)
  }
}

/** How many began since the workers were told to start, counted by themselves: also those that the parent has not heard of. */
export async function beganIn(workers: readonly Agent[]): Promise<number> {
  const moments = await Promise.all(workers.map((worker) => worker.call('begun')))
  return moments.reduce((sum, some) => sum + some.length, 0)
}
