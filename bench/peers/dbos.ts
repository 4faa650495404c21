// DBOS Transact: workflows of durable steps, and queues of workflows, in Postgres.
import type { DBOS, DBOSClient, DBOSConfig } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import { copyHistory } from './copied-history.ts'
import type {
  DurableOptions,
  Opened,
  OpenOptions,
  Peer,
  Profile,
  Setup,
  Task,
  WorkerOptions,
} from './peer.ts'

const queueName = 'tasks'
const application = 'peers'

/** All that run share a pool of connections: more of them end later, and none sooner. */
const taskSlots = 100

export const peer: Peer = {
  name: 'DBOS Transact',
  packages: ['@dbos-inc/dbos-sdk'],
  store: 'postgres',
  profiles: {
    best: 'systemDatabasePoolSize 20 for runs of steps, a queue with minPollingIntervalMs 10 and workerConcurrency 100, enqueueInTransaction for many, steps side by side by Promise.all (its pages on configuration, queues and steps)',
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
    if (launched) await DBOS.shutdown()
    launched = false
  }
  let connected: Promise<DBOSClient> | undefined
  const client = () =>
    (connected ??= DBOSClient.create({
      systemDatabaseUrl: place.postgresUrl,
      applicationName: application,
      logger: config.logger!,
    }))
  const pool = new pg.Pool({ connectionString: place.postgresUrl, max: 1 })
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
      const connection = await pool.connect()
      try {
        await connection.query('begin')
        for (const task of tasks)
          await sender.enqueueInTransaction<typeof work>(connection, optionsOf(task), task)
        await connection.query('commit')
      } finally {
        connection.release()
      }
    },
    startWorker,
    allRecorded: async () => {
      const { rows } = await pool.query<{ done: boolean }>(
        `select not exists (select from dbos.workflow_status where status in ('ENQUEUED', 'PENDING')) as done`,
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
      const runs = registerRuns(DBOS, options)
      await launch(profile === 'best' ? { systemDatabasePoolSize: 20 } : {})
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
    ...(profile === 'best' ? { minPollingIntervalMs: 10 } : {}),
    // Of a limit over all processes and one of each process it refuses the smaller first.
    ...(profile === 'best' && limit?.perKey !== false ? { workerConcurrency: slots } : {}),
    ...(limit?.perKey === true ? { partitionConcurrency: limit.capacity } : {}),
    ...(limit?.perKey === false ? { globalConcurrency: limit.capacity } : {}),
    ...(turns === true ? { workerConcurrency: slots, partitionConcurrency: Math.ceil(slots * 0.8) } : {}),
  }
}
