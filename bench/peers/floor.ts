// The floor: the least that durability needs, in a few lines of plain SQL; no leases, no retries, no history, no wake-ups.
import pg from 'pg'
import { Checkpoints, oneRun } from '../floors/three-step-runs.ts'
import { createFloorTables } from '../floors/tables.ts'
import type { Opened, OpenOptions, Peer, Task, WorkerOptions } from './peer.ts'

const batch = 1_000
const connections = 4

const noQueue = 'the floor has no wake-ups, limits, turns, history or leases'

export const peer: Peer = {
  name: 'Floor',
  packages: ['pg'],
  store: 'postgres',
  profiles: {
    best: 'inserts of 1,000 rows a statement; claims and deletes of 1,000 over four connections in each process; checkpoints of all runs together over one connection, each durable before the next',
  },
  keeps: 'nothing of tasks, the steps of runs',
  takesOver: 'tasks',
  cannot: {
    'start-idle': noQueue,
    'start-half-load': noQueue,
    'limit-one': noQueue,
    'limit-10000': noQueue,
    'noisy-tenant': noQueue,
    'growth-1m': noQueue,
    'growth-10m': noQueue,
    'three-steps-apart': noQueue,
    takeover: noQueue,
  },
  open,
}

const tables = `
  create table floor.queue (
    id bigint generated always as identity primary key,
    payload jsonb,
    priority int not null default 0,
    run_at timestamptz not null default now(),
    worker int
  ) with (fillfactor = 70);
  create index queue_ready on floor.queue (priority, run_at, id) where worker is null`

const insert = `insert into floor.queue (payload) select payload from unnest($1::jsonb[]) given(payload)`

const claim = `
  with next as (
    select id from floor.queue where worker is null and run_at <= now()
     order by priority, run_at, id limit ${batch} for update skip locked
  )
  update floor.queue q set worker = 1 from next where q.id = next.id returning q.id, q.payload`

async function open({ place }: OpenOptions): Promise<Opened> {
  const pool = new pg.Pool({ connectionString: place.postgresUrl, max: 10 })
  pool.on('error', () => {})
  const enqueueMany = async (tasks: readonly Task[]) => {
    for (let sent = 0; sent < tasks.length; sent += batch) {
      const payloads = tasks.slice(sent, sent + batch).map((task) => JSON.stringify(task))
      await pool.query({ name: 'floor_insert', text: insert, values: [payloads] })
    }
  }
  return {
    prepare: async () => {
      await createFloorTables(pool)
      await pool.query(tables)
    },
    enqueue: (task) => enqueueMany([task]),
    enqueueMany,
    startWorker: async (options) => startWorker(pool, options),
    allRecorded: async () => {
      const { rows } = await pool.query<{ done: boolean }>(
        'select not exists (select from floor.queue) as done',
      )
      return rows[0]?.done === true
    },
    startDurable: async ({ onFirstStep }) => {
      const client = await pool.connect()
      const checkpoints = new Checkpoints(client)
      return {
        threeSteps: async () => {
          await onFirstStep?.()
          await oneRun(checkpoints)
        },
        fanOut: async (width) => {
          const run = await checkpoints.start()
          await Promise.all(Array.from({ length: width }, (_, step) => checkpoints.step(run, step)))
          await checkpoints.step(run, width)
          await checkpoints.end(run)
        },
        manySteps: async (count) => {
          const run = await checkpoints.start()
          for (let step = 0; step < count; step++) await checkpoints.step(run, step)
          await checkpoints.end(run)
        },
        stop: async () => client.release(),
      }
    },
    close: () => pool.end(),
  }
}

/** Works until nothing is left: a floor has no wake-ups. */
function startWorker(pool: pg.Pool, { handler }: WorkerOptions) {
  const done = Promise.all(Array.from({ length: connections }, () => drain(pool, handler)))
  // stop() tells of it.
  done.catch(() => {})
  return {
    stop: async () => {
      await done
    },
  }
}

async function drain(pool: pg.Pool, handler: WorkerOptions['handler']): Promise<void> {
  const client = await pool.connect()
  try {
    for (;;) {
      const { rows } = await client.query<{ id: string; payload: Task }>({ name: 'floor_claim', text: claim })
      if (rows.length === 0) return
      await Promise.all(rows.map(async ({ payload }) => handler(payload)))
      await client.query({
        name: 'floor_done',
        text: 'delete from floor.queue where id = any ($1::bigint[])',
        values: [rows.map(({ id }) => id)],
      })
    }
  } finally {
    client.release()
  }
}
