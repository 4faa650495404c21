// BullMQ on Postgres: the same queue with its other backend.
import type { Opened, OpenOptions, Peer } from './peer.ts'
import { cannotOfBullmq, openBullmq, profilesOfBullmq } from './bullmq-queue.ts'

const connections = 10
const concurrency = 50

export const peer: Peer = {
  name: 'BullMQ on Postgres',
  packages: ['bullmq'],
  store: 'postgres',
  profiles: profilesOfBullmq(concurrency),
  keeps: 'each job with its data and result',
  takesOver: 'tasks',
  cannot: cannotOfBullmq,
  open,
}

async function open({ place, profile, setup }: OpenOptions): Promise<Opened> {
  const { createPostgresBackend, Queue, Worker } = await import('bullmq')
  const connection = { connectionString: place.postgresUrl, max: connections, migrate: true }
  const queue = new Queue('task', { connection }, createPostgresBackend)
  return openBullmq({
    queue,
    profile,
    setup,
    concurrency,
    startWorker: (processor, options) =>
      new Worker('task', processor, { ...options, connection }, createPostgresBackend),
  })
}
