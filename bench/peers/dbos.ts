// DBOS Transact: workflows of durable steps, and queues of workflows, in Postgres.
import type { DBOS, DBOSClient, DBOSConfig } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import { copyHistory } from './copied-history.ts'
import type {
  Durable,
  DurableOptions,
  Opened,
  OpenOptions,
  Peer,
  Profile,
  Setup,
  Task,
  WorkerOptions,
} from './peer.ts'
import { slotsFor } from './slots.ts'

const queueName = 'tasks'
const runQueueName = 'runs'
const application = 'peers'

/** All that run share a pool of connections: more of them end later, and none sooner. */
const taskSlots = 100

/** Transactions side by side, each with its share of many. */
const bulkLanes = 10
const runConnections = 20
const pollMs = 10
const endWithinMs = 60_000

export const peer: Peer = {
  name: 'DBOS Transact',
  packages: ['@dbos-inc/dbos-sdk'],
  store: 'postgres',
  profiles: {
    best: 'systemDatabasePoolSize 20 for runs of steps, a queue with minPollingIntervalMs 10 and workerConcurrency 100, or, where it is partitioned for a limit by key, partitionConcurrency alone, with which one sweep takes of all partitions; ten transactions side by side with enqueueInTransaction for many (its bulk insert is marked as no part of its interface); steps side by side by Promise.all; getResult() with pollingIntervalMs 10 where client and worker are apart (its pages on configuration, queues, clients and steps)',
    default:
      'nothing is set: a pool of 10, queues read once a second, as many at once as wait; one enqueue() after the other for many',
  },
  keeps: 'each workflow and step with input, output and times, for ever unless told',
  takesOver: 'runs',
  cannot: {
    takeover:
      'what a killed process had is begun again when a process with the same executor id starts; one that runs already takes it over only where its Conductor, a service of its own, says so',
  },
  open,
}

async function open({ place, profile, setup }: OpenOptions): Promise<Opened> {
  const { DBOS, DBOSClient } = await import('@dbos-inc/dbos-sdk')
  const config: DBOSConfig = {
    name: application,
    systemDatabaseUrl: place.postgresUrl,
    logger: { info() {}, debug() {}, warn() {}, error: console.error },
  }
  let handler: (task: Task) => void | Promise<void> = () => {}
  const work = DBOS.registerWorkflow(
    async (task: Task) => {
      return DBOS.runStep(async () => {
        await handler(task)
        return { ok: 1 }
      })
    },
    { name: 'task' },
  )
  let launched = false
  const launch = async (more: Partial<DBOSConfig> = {}) => {
    DBOS.setConfig({ ...config, ...more })
    await DBOS.launch()
    launched = true
  }
  const shutdown = async () => {
    // Otherwise what has begun would not end, and yet be counted.
    if (launched) await DBOS.shutdown({ workflowCompletionTimeoutMS: endWithinMs })
    launched = false
  }
  let connected: Promise<DBOSClient> | undefined
  const client = (more: { systemDatabasePoolSize?: number } = {}) =>
    (connected ??= DBOSClient.create({
      systemDatabaseUrl: place.postgresUrl,
      applicationName: application,
      logger: config.logger!,
      ...more,
    }))
  const pool = new pg.Pool({ connectionString: place.postgresUrl, max: bulkLanes })
  pool.on('error', () => {})
  const optionsOf = ({ key }: Task) => ({
    workflowName: 'task',
    queueName,
    ...(isPartitioned(setup) ? { queuePartitionKey: key ?? 'none' } : {}),
  })
  const startWorker = async ({ handler: given, slots }: WorkerOptions) => {
    handler = given
    await launch({ listenQueues: [queueName] })
    await DBOS.registerQueue(queueName, { ...queueOf(profile, setup, slots), onConflict: 'always_update' })
    return { stop: shutdown }
  }
  const enqueue = async (task: Task) => {
    await (await client()).enqueue<typeof work>(optionsOf(task), task)
  }
  return {
    prepare: async () => {
      await launch({ listenQueues: [] })
      await DBOS.registerQueue(queueName, queueOf(profile, setup))
      await shutdown()
    },
    enqueue,
    enqueueMany: async (tasks) => {
      if (profile === 'default') {
        for (const task of tasks) await enqueue(task)
        return
      }
      const sender = await client()
      const share = Math.ceil(tasks.length / bulkLanes)
      const lane = async (n: number) => {
        const connection = await pool.connect()
        try {
          await connection.query('begin')
          for (const task of tasks.slice(n * share, (n + 1) * share))
            await sender.enqueueInTransaction<typeof work>(connection, optionsOf(task), task)
          await connection.query('commit')
        } finally {
          connection.release()
        }
      }
      await Promise.all(Array.from({ length: bulkLanes }, (_, n) => lane(n)))
    },
    startWorker,
    allRecorded: async () => {
      const { rows } = await pool.query<{ done: boolean }>(
        // By its index of what is in flight (idx_workflow_status_in_flight_v2).
        `select not exists (
           select from dbos.workflow_status where queue_name = '${queueName}' and status in ('ENQUEUED', 'PENDING')
         ) as done`,
      )
      return rows[0]?.done === true
    },
    fillHistory: async (count) => {
      const { stop } = await startWorker({ handler: () => {} })
      await (await DBOS.startWorkflow(work, optionsOf({ n: 1 }))({ n: 1 })).getResult()
      await stop()
      await copyHistory(place.postgresUrl, count, [
        {
          table: 'dbos.workflow_status',
          changed: { workflow_uuid: 'past.id::text', created_at: epochMs, updated_at: epochMs },
        },
        { table: 'dbos.operation_outputs', changed: { workflow_uuid: 'past.id::text' } },
      ])
    },
    startDurable: async (options) => {
      const best = profile === 'best' ? { systemDatabasePoolSize: runConnections } : {}
      if (options.role === 'client') return clientOf(await client(best), profile)
      const runs = registerRuns(DBOS, options)
      await launch(options.role === 'worker' ? { ...best, listenQueues: [runQueueName] } : best)
      if (options.role === 'worker')
        await DBOS.registerQueue(runQueueName, {
          ...queueOf(profile, {}, slotsFor(options.inFlight)),
          onConflict: 'always_update',
        })
      return { ...runs, stop: shutdown }
    },
    close: async () => {
      await shutdown()
      await (await connected)?.destroy()
      await pool.end()
    },
  }
}

const epochMs = '(extract(epoch from past.moment) * 1000)::bigint'

type Library = typeof DBOS

let registered = 0

/** Of a process that only starts runs and waits for them; the one that works has started as often, and so has the same names. */
function clientOf(client: DBOSClient, profile: Profile): Durable {
  registered++
  const workflowName = `three-steps ${registered}`
  return {
    threeSteps: async () => {
      const handle = await client.enqueue({ workflowName, queueName: runQueueName })
      await handle.getResult(profile === 'best' ? { pollingIntervalMs: pollMs } : {})
    },
    stop: async () => {},
  }
}

/** Workflows are registered before the launch, each under a name of its own. */
function registerRuns(DBOS: Library, { onFirstStep }: DurableOptions) {
  const name = (kind: string) => ({ name: `${kind} ${registered}` })
  registered++
  const three = DBOS.registerWorkflow(async () => {
    await DBOS.runStep(
      async () => {
        await onFirstStep?.()
        return { ok: 1 }
      },
      { name: 'one' },
    )
    await DBOS.runStep(async () => ({ ok: 1 }), { name: 'two' })
    return DBOS.runStep(async () => ({ ok: 3 }), { name: 'three' })
  }, name('three-steps'))
  const fan = DBOS.registerWorkflow(async (width: number) => {
    const each = await Promise.all(
      Array.from({ length: width }, (_, n) => DBOS.runStep(async () => ({ ok: n }), { name: 'each' })),
    )
    return DBOS.runStep(async () => ({ ok: each.length }), { name: 'join' })
  }, name('fan-out'))
  const many = DBOS.registerWorkflow(async (count: number) => {
    for (let n = 0; n < count; n++) await DBOS.runStep(async () => ({ ok: 1 }), { name: 'part' })
  }, name('many-steps'))
  return {
    threeSteps: async () => {
      await (await DBOS.startWorkflow(three)()).getResult()
    },
    fanOut: async (width: number) => {
      await (await DBOS.startWorkflow(fan)(width)).getResult()
    },
    manySteps: async (count: number) => {
      await (await DBOS.startWorkflow(many)(count)).getResult()
    },
  }
}

function isPartitioned({ limit, turns }: Setup): boolean {
  return limit?.perKey === true || turns === true
}

/** A limit by key is a partition for each key; tenants are partitions of which none may have all slots. */
function queueOf(profile: Profile, { limit, turns }: Setup, slots = taskSlots) {
  return {
    ...(profile === 'best' ? { minPollingIntervalMs: pollMs } : {}),
    // With a limit over all processes it refuses a smaller one of each process; beside one by key, each poll would walk all partitions to fill a hundred slots.
    ...(profile === 'best' && limit === undefined ? { workerConcurrency: slots } : {}),
    ...(limit?.perKey === true ? { partitionConcurrency: limit.capacity } : {}),
    ...(limit?.perKey === false ? { globalConcurrency: limit.capacity } : {}),
    ...(turns === true ? { workerConcurrency: slots, partitionConcurrency: Math.ceil(slots * 0.8) } : {}),
  }
}
