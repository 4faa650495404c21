// BullMQ on Postgres: the same queue with its other backend.
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { copyHistory } from './copied-history.ts'
import type { Opened, OpenOptions, Peer } from './peer.ts'
import { cannotOfBullmq, openBullmq, profilesOfBullmq } from './bullmq-queue.ts'

/** The most with which its page on PostgreSQL was measured, where more ("8–32") are faster. */
const concurrency = 32

export const peer: Peer = {
  name: 'BullMQ on Postgres',
  packages: ['bullmq'],
  store: 'postgres',
  profiles: profilesOfBullmq(
    concurrency,
    `the most of its page on PostgreSQL, which asks for as many connections: a pool with max: ${concurrency}`,
  ),
  keeps: 'each job with its data and result',
  takesOver: 'tasks',
  cannot: cannotOfBullmq,
  open,
}

/** By its indexes of jobs that wait and of those in hand; getJobCounts() would count all that ended as well. */
const allRecorded = `
  select not exists (select from bullmq.job where queue = 'task' and state = 'waiting')
     and not exists (select from bullmq.job where queue = 'task' and state = 'active') as done`

async function open({ place, profile, setup }: OpenOptions): Promise<Opened> {
  const { createPostgresBackend, Queue, Worker } = await import('bullmq')
  const connection = {
    connectionString: place.postgresUrl,
    migrate: true,
    ...(profile === 'best' ? { max: concurrency } : {}),
  }
  const queue = new Queue('task', { connection }, createPostgresBackend)
  const pool = new pg.Pool({ connectionString: place.postgresUrl, max: 1 })
  pool.on('error', () => {})
  const opened = await openBullmq({
    queue,
    profile,
    setup,
    concurrency,
    startWorker: (processor, options) =>
      new Worker('task', processor, { ...options, connection }, createPostgresBackend),
    allRecorded: async () => (await pool.query<{ done: boolean }>(allRecorded)).rows[0]?.done === true,
  })
  return {
    ...opened,
    fillHistory: async (count) => {
      await opened.enqueue({ n: 1 })
      const worker = await opened.startWorker({ handler: () => {} })
      while (!(await opened.allRecorded())) await pause(5)
      await worker.stop()
      await copyHistory(place.postgresUrl, count, [
        {
          table: 'bullmq.job',
          changed: {
            // A number, as it gives them itself.
            id: '(extract(epoch from past.moment) * 1000000)::bigint::text',
            added_at_ms: epochMs,
            processed_at_ms: epochMs,
            finished_at_ms: epochMs,
          },
        },
      ])
    },
    close: async () => {
      await opened.close()
      await pool.end()
    },
  }
}

const epochMs = '(extract(epoch from past.moment) * 1000)::bigint'
