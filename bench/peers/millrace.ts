// Millrace itself, in the turns of its peers.
import { z } from 'zod'
import { writeHistory } from '../history.ts'
import { fanOutOf, givenInput } from '../pipelines.ts'
import { connect, createPool, migrate, pipeline, startWorker } from '../product.ts'
import type { DurableOptions, Opened, OpenOptions, Peer, Profile, Setup, Task } from './peer.ts'
import { slotsFor } from './slots.ts'

const input = z.object({ n: z.number(), key: z.string().optional() })

export const peer: Peer = {
  name: 'Millrace',
  packages: ['millrace'],
  store: 'postgres',
  profiles: {
    best: 'slots: 1000 for tasks, twice the runs in flight for runs of steps, and 100 at least, since each step of a fan-out takes one; nothing else is set',
    default: 'nothing is set: 20 slots',
  },
  keeps: 'each run and attempt with input, output and times, for 30 days unless told',
  takesOver: 'tasks',
  cannot: {},
  open,
}

async function open({ place, profile, setup }: OpenOptions): Promise<Opened> {
  const database = place.postgresUrl
  const client = connect({ database })
  const pool = createPool({ connectionString: database, connectionsMax: 2, statementTimeoutMs: 0 })
  let handler: (task: Task) => void | Promise<void> = () => {}
  const work = pipeline('task', { input }).step('one', async ({ input: task }) => {
    await handler({ n: task.n, ...(task.key === undefined ? {} : { key: task.key }) })
    return { ok: 1 }
  })
  return {
    prepare: async () => {
      await migrate({ connectionString: database })
      const rule = ruleOf(setup)
      if (rule !== undefined)
        await pool.query('select millrace.define_limit($1, $2, $3)', [
          'peers',
          JSON.stringify(rule),
          JSON.stringify([{ slug: work.slug }]),
        ])
    },
    enqueue: async (task) => {
      await client.start(work, { ...task })
    },
    enqueueMany: async (tasks) => {
      await client.startMany(
        work,
        tasks.map((task) => ({ ...task })),
      )
    },
    startWorker: async (options) => {
      handler = options.handler
      return startWorker({ database, pipelines: [work], ...slotsOf(profile, options.slots ?? 1_000) })
    },
    allRecorded: async () => {
      const { rows } = await pool.query<{ done: boolean }>(
        'select not exists (select from millrace.task) and not exists (select from millrace.waiting_task) as done',
      )
      return rows[0]?.done === true
    },
    fillHistory: async (count) => {
      // A worker registers the pipeline and makes the partitions.
      await (await startWorker({ database, pipelines: [work] })).stop()
      await writeHistory(pool, work.slug, count)
    },
    startDurable: (options) => startDurable(client, database, profile, options),
    close: async () => {
      await client.close()
      await pool.end()
    },
  }
}

function ruleOf({ limit, turns }: Setup): object | undefined {
  if (turns === true) return { kind: 'fairness', key: [['key']] }
  if (limit === undefined) return undefined
  return { kind: 'concurrency', capacity: limit.capacity, key: limit.perKey ? [['key']] : [] }
}

function slotsOf(profile: Profile, slots: number): { slots?: number } {
  return profile === 'best' ? { slots } : {}
}

async function startDurable(
  client: ReturnType<typeof connect>,
  database: string,
  profile: Profile,
  { inFlight, role, onFirstStep }: DurableOptions,
) {
  const three = pipeline('three-steps', { input })
    .step('one', async () => {
      await onFirstStep?.()
      return { ok: 1 }
    })
    .step('two', () => ({ ok: 1 }))
    .step('three', () => ({ ok: 3 }))
  const fan = fanOutOf(1_000)
  const many = pipeline('many-steps', { input: z.object({ count: z.number() }) }).step(
    'work',
    async ({ input: { count }, durable }) => {
      for (let n = 0; n < count; n++) await durable.run(`part ${n}`, () => ({ ok: 1 }))
    },
  )
  const worker =
    role === 'client'
      ? undefined
      : await startWorker({
          database,
          pipelines: [three, fan, many],
          ...slotsOf(profile, Math.max(100, slotsFor(inFlight))),
        })
  return {
    threeSteps: async () => {
      const { run } = await client.start(three, givenInput)
      await client.run(run!).result()
    },
    fanOut: async () => {
      const { run } = await client.start(fan, givenInput)
      await client.run(run!).result()
    },
    manySteps: async (count: number) => {
      const { run } = await client.start(many, { count })
      await client.run(run!).result()
    },
    stop: async () => worker?.stop(),
  }
}
