// The operations on workers: who is alive, and orders to them.
import { z } from 'zod'
import { workerStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { changed, time, uuid } from './values.ts'

const worker = z
  .object({
    id: uuid,
    name: z.string(),
    host: z.string(),
    process_id: z.int().nullable(),
    state: z.enum(workerStates),
    slots: z.int(),
    queues: z.array(z.string()).describe('None: all.'),
    has_lock: z.boolean().describe('Whether it holds its liveness lock.'),
    silent_seconds: z.number().describe('Since it was last heard of.'),
  })
  .meta({ id: 'Worker' })

const unserved = z
  .object({
    pipeline: z.string(),
    version: z.int(),
    queue: z.string(),
    tasks: z.int(),
    ready_since: time,
  })
  .meta({ id: 'UnservedTasks' })

const listWorkers = operation({
  name: 'listWorkers',
  method: 'get',
  path: '/admin/workers',
  tag: 'workers',
  summary: 'List the workers that are not gone, 1,000 at most, and ready tasks that none of them can claim.',
  access: { scope: 'workers:read', role: 'viewer', subject: 'installation' },
  answer: z.object({ at: time, items: z.array(worker), unserved: z.array(unserved) }),
})

const ordered = {
  tag: 'workers',
  method: 'post',
  access: { scope: 'workers:write', role: 'operator', subject: 'installation' },
  params: z.object({ worker: uuid }),
  body: z.strictObject({}),
  answer: changed,
} as const

const pauseWorker = operation({
  ...ordered,
  name: 'pauseWorker',
  path: '/admin/workers/{worker}/pause',
  summary: 'Order a worker to claim nothing more.',
  errors: ['worker_unknown'],
})

const resumeWorker = operation({
  ...ordered,
  name: 'resumeWorker',
  path: '/admin/workers/{worker}/resume',
  summary: 'Order a paused worker to claim again.',
  errors: ['worker_unknown'],
})

const drainWorker = operation({
  ...ordered,
  name: 'drainWorker',
  path: '/admin/workers/{worker}/drain',
  summary: 'Order a worker to finish what it holds, and to stop.',
  errors: ['worker_unknown'],
})

export const workerOperations = { listWorkers, pauseWorker, resumeWorker, drainWorker } as const
