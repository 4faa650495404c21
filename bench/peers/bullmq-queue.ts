// What BullMQ does alike on both of its backends.
import type { Opened, Peer, Profile, Setup, Task, WorkerOptions } from './peer.ts'

const noRuns = 'it has no runs of durable steps'

/** What its pages say of both backends; how many jobs at once is best differs. */
export function profilesOfBullmq(concurrency: number): Peer['profiles'] {
  return {
    best: `concurrency: ${concurrency} (its page on concurrency asks for many where jobs wait; this many drains fastest here), addBulk() for many; setGlobalConcurrency() for one limit`,
    default: 'new Queue(), new Worker() as on its first page: one job at a time; addBulk() for many',
  }
}

export const cannotOfBullmq: Peer['cannot'] = {
  'limit-10000': 'limits by key (groups) are part of its paid edition',
  'noisy-tenant': 'turns between keys (groups) are part of its paid edition',
  'growth-1m': 'jobs that ended can be made only by running them',
  'growth-10m': 'jobs that ended can be made only by running them',
  'three-steps-50': noRuns,
  'three-steps-500': noRuns,
  'three-steps-idle': noRuns,
  'fan-out-1000': noRuns,
  'steps-1000': noRuns,
}

/** The part of its Queue that both backends share. */
interface BullmqQueue {
  waitUntilReady(): Promise<unknown>
  setGlobalConcurrency(concurrency: number): Promise<unknown>
  add(name: string, data: Task): Promise<unknown>
  addBulk(jobs: { name: string; data: Task }[]): Promise<unknown>
  getJobCounts(...states: ('waiting' | 'active' | 'prioritized')[]): Promise<Record<string, number>>
  close(): Promise<void>
}

interface BullmqWorker {
  on(event: 'error', heard: (error: Error) => void): unknown
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
}

interface BullmqOptions {
  readonly queue: BullmqQueue
  readonly profile: Profile
  readonly setup: Setup
  readonly concurrency: number
  readonly startWorker: (
    processor: (job: { data: Task }) => Promise<unknown>,
    options: { concurrency?: number },
  ) => BullmqWorker
}

export async function openBullmq({
  queue,
  profile,
  setup,
  concurrency,
  startWorker,
}: BullmqOptions): Promise<Opened> {
  await queue.waitUntilReady()
  return {
    prepare: async () => {
      if (setup.limit?.perKey === false) await queue.setGlobalConcurrency(setup.limit.capacity)
    },
    enqueue: async (task) => {
      await queue.add('task', task)
    },
    enqueueMany: async (tasks) => {
      await queue.addBulk(tasks.map((data) => ({ name: 'task', data })))
    },
    startWorker: async ({ handler, slots = concurrency }: WorkerOptions) => {
      const worker = startWorker(
        async ({ data }) => {
          await handler(data)
          return { ok: 1 }
        },
        profile === 'best' ? { concurrency: slots } : {},
      )
      worker.on('error', (error) => console.error(error))
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
    allRecorded: async () => {
      const counts = await queue.getJobCounts('waiting', 'active', 'prioritized')
      return Object.values(counts).every((count) => count === 0)
    },
    close: () => queue.close(),
  }
}
