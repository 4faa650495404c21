// The routes of workers.
import { operations } from '../../api/catalogue.ts'
import type { workerStates } from '../../core/state.ts'
import { listUnserved, listWorkers, readClock } from '../../db/diagnosis.ts'
import { drainWorker, pauseWorker, resumeWorker } from '../../db/workers.ts'
import { type Route, route } from '../route.ts'

export const workerRoutes: readonly Route[] = [
  route(operations.listWorkers, async ({ room }) => {
    const at = await readClock(room.reads)
    const [workers, unserved] = await Promise.all([listWorkers(room.reads, at), listUnserved(room.reads, at)])
    return {
      at,
      items: workers.map((row) => ({ ...row, state: row.state as (typeof workerStates)[number] })),
      unserved,
    }
  }),

  route(operations.pauseWorker, async ({ params, caller }) => ({
    changed: await pauseWorker(caller, params.worker),
  })),

  route(operations.resumeWorker, async ({ params, caller }) => ({
    changed: await resumeWorker(caller, params.worker),
  })),

  route(operations.drainWorker, async ({ params, caller }) => ({
    changed: await drainWorker(caller, params.worker),
  })),
]
