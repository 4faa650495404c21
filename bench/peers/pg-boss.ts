// pg-boss: a queue in Postgres.
import type { PgBoss as Boss, ConstructorOptions } from 'pg-boss'
import type { Opened, OpenOptions, Peer, Profile, Setup, Task, WorkerOptions } from './peer.ts'

const queue = 'task'

/** The least that it allows (`heartbeatSeconds` of a queue, its page on queues). */
const heartbeatSeconds = 10
/**
 * How often those that are silent are looked for, instead of once a minute (its page on the constructor); both timers must be over. Each look reads the whole
 * table, so its page warns of small ones: only where a process is killed.
 */
const supervised = { superviseIntervalSeconds: 5, monitorIntervalSeconds: 5 }
/** What is taken back from the dead is not notified, and a worker that is woken looks by itself twice a minute (its page on workers): as often as one that is not woken. */
const lookingAgain = { notifyPollingIntervalSeconds: 2 }
/** A process that only puts in listens to nothing and looks after nothing (`useListenNotify` and `supervise` in its page on the constructor). */
const producer = { supervise: false, schedule: false }

/** Where nobody says how many: the size of a batch, which is completed as one. */
const mostSlots = 1_000

const noRuns = 'it has no runs of durable steps'

export const peer: Peer = {
  name: 'pg-boss',
  packages: ['pg-boss'],
  store: 'postgres',
  profiles: {
    best: 'a queue with notify: true where workers are to be woken, and heartbeatSeconds: 10; instances that work with useListenNotify, and where one is killed with a superviseIntervalSeconds and monitorIntervalSeconds of 5 and a notifyPollingIntervalSeconds of 2, those that only put in with supervise: false; work() with batchSize 1000 and burstWhenBatchFull, so that a batch is completed as one; groups with groupConcurrency and the shortest polls for limits and tenants; insert() for many (its pages on the constructor, workers, jobs and queues)',
    default: 'createQueue(), send(), work() as in its README: one job every two seconds; insert() for many',
  },
  keeps: 'each job with its data and output, for 7 days',
  takesOver: 'tasks',
  cannot: {
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
  const { PgBoss } = await import('pg-boss')
  const start = async (options: ConstructorOptions) => {
    const boss = new PgBoss({ connectionString: place.postgresUrl, ...options })
    boss.on('error', (error) => console.error(error))
    await boss.start()
    return boss
  }
  const consumer = { useListenNotify: true, ...(setup.kills === true ? supervised : {}) }
  let started: Promise<Boss> | undefined
  // One in each process: what it is asked for first says whether it works or only puts in.
  const bossOf = (works: boolean) =>
    (started ??= start(profile === 'best' ? (works ? consumer : producer) : {}))
  const jobOf = ({ n, key }: Task) => ({
    data: { n, ...(key === undefined ? {} : { key }) },
    ...groupOf(key, setup),
  })
  return {
    prepare: async () => {
      const boss = await bossOf(false)
      const best = { notify: setup.noWorkers !== true, heartbeatSeconds }
      await boss.createQueue(queue, profile === 'best' ? best : {})
    },
    enqueue: async (task) => {
      const { data, ...options } = jobOf(task)
      await (await bossOf(false)).send(queue, data, options)
    },
    enqueueMany: async (tasks) => {
      await (await bossOf(false)).insert(queue, tasks.map(jobOf))
    },
    startWorker: async (options) => startWorker(await bossOf(true), profile, setup, options),
    allRecorded: async () => {
      const { rows } = await (await bossOf(false)).getDb().executeSql(allRecorded)
      return rows[0]?.done === true
    },
    fillHistory: async (count) => fillHistory(await bossOf(false), count),
    close: async () => (await started)?.stop({ graceful: false }),
  }
}

/** By its index of live jobs (job_i14): what ended is not in it. */
const allRecorded = `
  select not exists (
    select from pgboss.job where name = '${queue}' and state in ('created', 'retry', 'active')
  ) as done`

/** A limit by key is a group for each key, one for all is one group, and tenants are groups of which none may have all slots. */
function groupOf(key: string | undefined, { limit, turns }: Setup): { group?: { id: string } } {
  if (limit?.perKey === false) return { group: { id: 'all' } }
  return (limit !== undefined || turns === true) && key !== undefined ? { group: { id: key } } : {}
}

async function startWorker(boss: Boss, profile: Profile, setup: Setup, { handler, slots }: WorkerOptions) {
  const options = { ...(profile === 'best' ? bestOptions(setup, slots) : {}), ...limitOptions(setup, slots) }
  await boss.work<Task>(queue, options, async (jobs) => {
    await Promise.all(jobs.map(async ({ data }) => handler(data)))
  })
  return { stop: () => boss.offWork(queue, { wait: true }) }
}

function bestOptions({ limit, turns, kills }: Setup, slots = mostSlots) {
  const burst = { burstWhenBatchFull: true }
  if (limit === undefined && turns !== true)
    return { ...burst, batchSize: slots, ...(kills === true ? lookingAgain : {}) }
  // A batch that a limit cuts short waits for the next poll: as often as it may, and in small batches where tenants take turns.
  const polls = { ...burst, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }
  if (turns === true) return { ...polls, batchSize: Math.ceil(slots / 5), localConcurrency: 5 }
  return { ...polls, batchSize: limit?.perKey === false ? limit.capacity : slots }
}

function limitOptions({ limit, turns }: Setup, slots = mostSlots): { groupConcurrency?: number } {
  if (turns === true) return { groupConcurrency: Math.ceil(slots * 0.8) }
  return limit === undefined ? {} : { groupConcurrency: limit.capacity }
}

/** As many jobs as would have been completed in the last days, in the table that all queues share. */
async function fillHistory(boss: Boss, count: number): Promise<void> {
  await boss.getDb().executeSql(
    `insert into pgboss.job (name, data, state, created_on, start_after, started_on, completed_on, keep_until, policy)
     select '${queue}', '{"n":1}', 'completed', moment, moment, moment, moment, moment + interval '14 days', 'standard'
       from generate_series(1, ${count}) n, lateral (select now() - interval '3 days' + n * (interval '2 days' / ${count}) as moment) at`,
  )
}
