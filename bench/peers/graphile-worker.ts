// Graphile Worker: a queue in Postgres.
import type { TaskList } from 'graphile-worker'
import pg from 'pg'
import type { Opened, OpenOptions, Peer, Profile, Setup, Task, WorkerOptions } from './peer.ts'

const taskName = 'task'
const connections = 10
const noRuns = 'it has no runs of durable steps'

export const peer: Peer = {
  name: 'Graphile Worker',
  packages: ['graphile-worker'],
  store: 'postgres',
  profiles: {
    best: 'concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0, addJobs() for many (its page on performance); maxPoolSize: 10 rather than 25, so that all processes find connections',
    default: 'run() with a task list and nothing else: one job at a time; addJobs() for many',
  },
  keeps: 'nothing: a job is deleted at its end',
  takesOver: 'tasks',
  cannot: {
    'limit-one': 'its named queues run one job at a time, and no other number',
    'noisy-tenant': 'it has no turns between keys without its Pro package',
    'growth-1m': 'it keeps nothing, so its tables do not grow',
    'growth-10m': 'it keeps nothing, so its tables do not grow',
    'three-steps-50': noRuns,
    'three-steps-500': noRuns,
    'three-steps-idle': noRuns,
    'three-steps-apart': noRuns,
    'fan-out-1000': noRuns,
    'steps-1000': noRuns,
  },
  open,
}

async function open({ place, profile, setup }: OpenOptions): Promise<Opened> {
  const { Logger, makeWorkerUtils, run } = await import('graphile-worker')
  const logger = new Logger(() => () => {})
  const pgPool = new pg.Pool({ connectionString: place.postgresUrl, max: connections })
  // A pool of one's own must have both, or it warns.
  pgPool.on('error', () => {})
  pgPool.on('connect', (client) => void client.on('error', () => {}))
  const library = await makeWorkerUtils({ pgPool, logger })
  return {
    prepare: () => library.migrate(),
    enqueue: async (task) => {
      await library.addJob(taskName, task, queueOf(task, setup))
    },
    enqueueMany: async (tasks) => {
      await library.addJobs(
        tasks.map((task) => ({ identifier: taskName, payload: task, ...queueOf(task, setup) })),
      )
    },
    startWorker: async (options) => {
      const runner = await run({
        pgPool,
        logger,
        noHandleSignals: true,
        taskList: taskListOf(options),
        ...settingsOf(profile, options),
      })
      return { stop: () => runner.stop() }
    },
    allRecorded: async () => {
      const { rows } = await pgPool.query<{ done: boolean }>(
        'select not exists (select from graphile_worker._private_jobs) as done',
      )
      return rows[0]?.done === true
    },
    close: async () => {
      await library.release()
      await pgPool.end()
    },
  }
}

function taskListOf({ handler }: WorkerOptions): TaskList {
  return { [taskName]: async (payload) => handler(payload as Task) }
}

/** A named queue is worked off one by one, which is what a limit of one by key asks for. */
function queueOf({ key }: Task, { limit }: Setup): { queueName?: string } {
  return limit !== undefined && key !== undefined ? { queueName: key } : {}
}

function settingsOf(profile: Profile, { slots = 24 }: WorkerOptions) {
  if (profile === 'default') return {}
  return {
    concurrency: slots,
    preset: {
      worker: {
        concurrentJobs: slots,
        maxPoolSize: connections,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  }
}
