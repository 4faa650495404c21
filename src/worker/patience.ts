// Waiting for a database that is away before a handler has begun: that is no failure of its step.
import { isConnectionLoss } from '../db/database-error.ts'
import { pause } from './connections.ts'
import { isPassing } from './flush.ts'
import type { HeldTask } from './held-task.ts'

/** Between two looks. */
const awayMs = 200

/** Does the work again while the database is away, until the attempt's time is over or it is told to stop. */
export async function patiently<T>(task: HeldTask, random: () => number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + task.step.timeoutMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const away = isPassing(error) || isConnectionLoss(error)
      if (!away || task.abort.aborted || performance.now() > deadline) throw error
      await pause(awayMs * (0.5 + random()), task.abort.signal)
    }
  }
}
