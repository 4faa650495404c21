// What BullMQ does alike on both of its backends.
import type { Opened, Peer, Profile, RowName, Setup, Task, WorkerOptions } from './peer.ts'

const noRuns = 'it has no runs of durable steps'

/** In batches, under way side by side: "batched + concurrent" on its page on PostgreSQL, where it says so of both backends. */
const bulk = 1_000
/** Fewer tasks go in smaller batches, as many side by side: also those before the clock, which open the connections. */
const lanes = 20
/** A lock of ten seconds, and looks for those that ran out twice in that time, instead of thirty for both (its page on stalled jobs, and `WorkerOptions`). */
const locks = { lockDuration: 10_000, stalledInterval: 5_000 }

/** What its pages say of both backends; how many jobs at once is best differs. */
export function profilesOfBullmq(concurrency: number, why: string): Peer['profiles'] {
  return {
    best: `concurrency: ${concurrency} (${why}), addBulk() of ${bulk.toLocaleString('en-US')} each, or a twentieth of fewer than ${(bulk * lanes).toLocaleString('en-US')}, side by side for many, lockDuration: 10 s and stalledInterval: 5 s; setGlobalConcurrency() for one limit`,
    default: 'new Queue(), new Worker() as on its first page: one job at a time; addBulk() for many',
  }
}

export const cannotOfBullmq: Partial<Record<RowName, string>> = {
  'limit-10000': 'limits by key (groups) are part of its paid edition',
  'noisy-tenant': 'turns between keys (groups) are part of its paid edition',
  'three-steps-50': noRuns,
  'three-steps-500': noRuns,
  'three-steps-idle': noRuns,
  'three-steps-apart': noRuns,
  'fan-out-1000': noRuns,
  'steps-1000': noRuns,
}

/** The part of its Queue that both backends share. */
interface BullmqQueue {
  waitUntilReady(): Promise<unknown>
  setGlobalConcurrency(concurrency: number): Promise<unknown>
  add(name: string, data: Task): Promise<unknown>
  addBulk(jobs: { name: string; data: Task }[]): Promise<unknown>
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
    options: { concurrency?: number; lockDuration?: number; stalledInterval?: number },
  ) => BullmqWorker
  readonly allRecorded: () => Promise<boolean>
}

export async function openBullmq({
  queue,
  profile,
  setup,
  concurrency,
  startWorker,
  allRecorded,
}: BullmqOptions) {
  await queue.waitUntilReady()
  return {
    prepare: async () => {
      if (setup.limit?.perKey === false) await queue.setGlobalConcurrency(setup.limit.capacity)
    },
    enqueue: async (task) => {
      await queue.add('task', task)
    },
    enqueueMany: async (tasks) => {
      const most = profile === 'best' ? Math.min(bulk, Math.ceil(tasks.length / lanes)) : tasks.length
      const batches = Array.from({ length: Math.ceil(tasks.length / most) }, (_, n) =>
        tasks.slice(n * most, (n + 1) * most).map((data) => ({ name: 'task', data })),
      )
      await Promise.all(batches.map((batch) => queue.addBulk(batch)))
    },
    startWorker: async ({ handler, slots = concurrency }: WorkerOptions) => {
      const worker = startWorker(
        async ({ data }) => {
          await handler(data)
          return { ok: 1 }
        },
        profile === 'best' ? { concurrency: slots, ...locks } : {},
      )
      worker.on('error', (error) => console.error(error))
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
    allRecorded,
    close: () => queue.close(),
  } satisfies Opened
}
