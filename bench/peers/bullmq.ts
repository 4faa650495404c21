// BullMQ on Redis: a queue in memory, written to disk each second.
import type { Opened, OpenOptions, Peer } from './peer.ts'
import { cannotOfBullmq, openBullmq, profilesOfBullmq } from './bullmq-queue.ts'

const concurrency = 150

export const peer: Peer = {
  name: 'BullMQ on Redis',
  packages: ['bullmq', 'ioredis'],
  store: 'redis',
  profiles: profilesOfBullmq(
    concurrency,
    'its page on concurrency asks for many where jobs wait; this many drains fastest here',
  ),
  keeps: 'each job with its data and result, in memory',
  takesOver: 'tasks',
  cannot: {
    ...cannotOfBullmq,
    'held-snapshot': 'Redis has no snapshots',
    'growth-1m': 'jobs that ended can be made only by running them',
    'growth-10m': 'so many jobs do not fit into the memory of the machine',
  },
  open,
}

async function open({ place, profile, setup }: OpenOptions): Promise<Opened> {
  const { Queue, Worker } = await import('bullmq')
  const { Redis } = await import('ioredis')
  const connect = () => new Redis(place.redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue('task', { connection: connect() })
  return openBullmq({
    queue,
    profile,
    setup,
    concurrency,
    startWorker: (processor, options) => new Worker('task', processor, { ...options, connection: connect() }),
    // Lengths of lists that Redis keeps.
    allRecorded: async () => {
      const counts = await queue.getJobCounts('waiting', 'active', 'prioritized')
      return Object.values(counts).every((count) => count === 0)
    },
  })
}
