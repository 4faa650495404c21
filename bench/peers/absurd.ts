// absurd: tasks of durable steps, whose functions live in Postgres.
import fs from 'node:fs'
import type { Absurd, TaskContext } from 'absurd-sdk'
import pg from 'pg'
import { copyHistory } from './copied-history.ts'
import { Ends } from './ended.ts'
import type { DurableOptions, Opened, OpenOptions, Peer, Profile, Task } from './peer.ts'
import { slotsFor } from './slots.ts'

/** Its SDK is on npm, its schema is not. */
const schemaFile = process.env['BENCH_ABSURD_SCHEMA'] ?? ''

/** As the file itself says it. */
const schemaVersion =
  schemaFile === ''
    ? 'none'
    : (/get_schema_version[^;]*select '([^']+)'::text/.exec(fs.readFileSync(schemaFile, 'utf8'))?.[1] ??
      'unknown')

const taskSlots = 200

/**
 * A claim of ten seconds instead of two minutes. A step that takes longer must call heartbeat(), as `startWorker()` in its SDK says: it is not called by itself,
 * and a process that is silent for twice as long ends.
 */
const claimTimeout = 10
const heartbeatMs = 3_000

const noLimits = 'it has no limits'
const noSchema =
  'its schema is not on npm; BENCH_ABSURD_SCHEMA names the absurd.sql of its release (or what `absurdctl init` applies)'

export const peer: Peer = {
  name: 'absurd',
  packages: ['absurd-sdk'],
  store: 'postgres',
  profiles: {
    best: `pollInterval 0.01 s, a concurrency of ${taskSlots} for tasks and of twice the runs in flight for runs, a pool of 20 for runs, claimTimeout ${claimTimeout} s with a heartbeat() each 3 s in a step that lasts (its page on the TypeScript SDK); a run counts as ended when its function ends, since awaitTaskResult() asks again and again, but where client and worker are apart, and that is the way; schema ${schemaVersion}`,
    default: 'nothing is set: one at a time, four looks a second, a pool of 10, awaitTaskResult()',
  },
  keeps: 'each task, run and checkpoint with input, output and times, for ever unless cleaned up',
  takesOver: 'runs',
  cannot: { 'limit-one': noLimits, 'limit-10000': noLimits },
  ...(schemaFile === '' ? { notHere: noSchema } : {}),
  open,
}

async function open({ place, profile }: OpenOptions): Promise<Opened> {
  const { Absurd } = await import('absurd-sdk')
  let max = 10
  const made: { pool?: pg.Pool; app?: Absurd } = {}
  const pool = () => {
    if (made.pool === undefined) {
      made.pool = new pg.Pool({ connectionString: place.postgresUrl, max })
      made.pool.on('error', () => {})
    }
    return made.pool
  }
  const quiet = { log() {}, info() {}, warn() {}, error: console.error }
  let handler: (task: Task) => void | Promise<void> = () => {}
  const app = () => {
    if (made.app !== undefined) return made.app
    const created = new Absurd({ db: pool(), log: quiet })
    created.registerTask<Task>({ name: 'task' }, (task, context) =>
      context.step('one', async () => {
        await handler(task)
        return { ok: 1 }
      }),
    )
    return (made.app = created)
  }
  const enqueue = async (task: Task) => {
    await app().spawn('task', task)
  }
  const startWorker: Opened['startWorker'] = async (options) => {
    handler = options.handler
    const worker = await app().startWorker(workerOptions(profile, options.slots ?? taskSlots))
    return { stop: () => worker.close() }
  }
  const allRecorded = async () => {
    const { rows } = await pool().query<{ done: boolean }>(
      // Each task that has not ended has such a run, and runs have an index that begins with their state.
      `select not exists (select from absurd.r_default where state in ('pending', 'running', 'sleeping')) as done`,
    )
    return rows[0]?.done === true
  }
  return {
    prepare: async () => {
      // By a pool of its own: that of the work which follows is made when it is known how large it is to be.
      const db = new pg.Pool({ connectionString: place.postgresUrl, max: 1 })
      try {
        await db.query(fs.readFileSync(schemaFile, 'utf8'))
        await new Absurd({ db, log: quiet }).createQueue()
      } finally {
        await db.end()
      }
    },
    enqueue,
    enqueueMany: async (tasks) => {
      await Promise.all(tasks.map(enqueue))
    },
    startWorker,
    allRecorded,
    fillHistory: async (count) => {
      const worker = await app().startWorker()
      const { taskID } = await app().spawn('task', { n: 1 })
      await app().awaitTaskResult(taskID)
      await worker.close()
      await copyHistory(place.postgresUrl, count, [
        {
          table: 'absurd.t_default',
          changed: {
            task_id: 'past.id',
            last_attempt_run: 'past.id',
            enqueue_at: 'past.moment',
            first_started_at: 'past.moment',
          },
        },
        {
          table: 'absurd.r_default',
          changed: {
            run_id: 'past.id',
            task_id: 'past.id',
            created_at: 'past.moment',
            started_at: 'past.moment',
            completed_at: 'past.moment',
          },
        },
        {
          table: 'absurd.c_default',
          changed: { task_id: 'past.id', owner_run_id: 'past.id', updated_at: 'past.moment' },
        },
      ])
    },
    startDurable: async (options) => {
      if (profile === 'best' && made.app === undefined) max = 20
      return startDurable(app(), profile, options)
    },
    close: async () => {
      await made.app?.close()
      await made.pool?.end()
    },
  }
}

let registered = 0

async function startDurable(app: Absurd, profile: Profile, { inFlight, role, onFirstStep }: DurableOptions) {
  const ends = new Ends()
  const name = (kind: string) => `${kind} ${registered}`
  const [three, fan, many] = [name('three-steps'), name('fan-out'), name('many-steps')]
  registered++
  app.registerTask<{ run: number }>({ name: three }, async ({ run }, context) => {
    await context.step('one', async () => {
      await beating(context, onFirstStep)
      return { ok: 1 }
    })
    await context.step('two', async () => ({ ok: 1 }))
    const result = await context.step('three', async () => ({ ok: 3 }))
    ends.end(run)
    return result
  })
  app.registerTask<{ run: number; width: number }>({ name: fan }, async ({ run, width }, context) => {
    const each = await Promise.all(
      Array.from({ length: width }, (_, n) => context.step(`each ${n}`, async () => ({ ok: n }))),
    )
    const result = await context.step('join', async () => ({ ok: each.length }))
    ends.end(run)
    return result
  })
  app.registerTask<{ run: number; count: number }>({ name: many }, async ({ run, count }, context) => {
    for (let n = 0; n < count; n++) await context.step(`part ${n}`, async () => ({ ok: 1 }))
    ends.end(run)
    return null
  })
  const worker =
    role === 'client' ? undefined : await app.startWorker(workerOptions(profile, slotsFor(inFlight)))
  const ended = async (task: string, params: object) => {
    if (profile === 'best' && role === 'both') return ends.of((run) => app.spawn(task, { ...params, run }))
    const { taskID } = await app.spawn(task, { ...params, run: 0 })
    await app.awaitTaskResult(taskID)
  }
  return {
    threeSteps: () => ended(three, {}),
    fanOut: (width: number) => ended(fan, { width }),
    manySteps: (count: number) => ended(many, { count }),
    stop: async () => worker?.close(),
  }
}

/** What takes longer than a claim prolongs it while it lives. */
async function beating(context: TaskContext, work: DurableOptions['onFirstStep']): Promise<void> {
  const timer = setInterval(() => void context.heartbeat().catch(() => {}), heartbeatMs)
  try {
    await work?.()
  } finally {
    clearInterval(timer)
  }
}

function workerOptions(profile: Profile, concurrency: number) {
  return profile === 'best' ? { concurrency, pollInterval: 0.01, claimTimeout } : {}
}
