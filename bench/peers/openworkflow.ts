// OpenWorkflow: workflows of durable steps, on its Postgres backend.
import type { OpenWorkflow as Library } from 'openworkflow'
import pg from 'pg'
import { copyHistory } from './copied-history.ts'
import { Ends } from './ended.ts'
import type { DurableOptions, Opened, OpenOptions, Peer, Profile, Task } from './peer.ts'

/** A slot asks for work by a query of its own (`tick()` of its worker), each time for all that are free: more of them are slower, and so with runs. */
const taskSlots = 50

const noLimits = 'it has no limits over all processes, and none by key'

export const peer: Peer = {
  name: 'OpenWorkflow',
  packages: ['openworkflow', 'postgres'],
  store: 'postgres',
  profiles: {
    best: `a pool of 20 for runs of steps, a concurrency of ${taskSlots} for tasks and of the runs in flight for runs (its pages on workers and production); a run counts as ended when its function ends, since result() asks once a second, which no setting changes, but where client and worker are apart, and that is the way; its lease of 30 s is a constant`,
    default: 'nothing is set: a pool of 10, a concurrency of 1, result() of the handle',
  },
  keeps: 'each run and step attempt with input, output and times, for ever',
  takesOver: 'runs',
  cannot: { 'limit-one': noLimits, 'limit-10000': noLimits },
  open,
}

async function open({ place, profile }: OpenOptions): Promise<Opened> {
  const [{ OpenWorkflow }, { BackendPostgres }, { default: postgres }] = await Promise.all([
    import('openworkflow'),
    import('openworkflow/postgres'),
    import('postgres'),
  ])
  // Its own connect() has the default pool; a larger one is given with the names of columns as it gives them itself.
  const backendOf = async (max: number) =>
    profile === 'best'
      ? BackendPostgres.fromPool(
          postgres(place.postgresUrl, { max, transform: { column: { from: postgres.toCamel } } }),
        )
      : BackendPostgres.connect(place.postgresUrl, { runMigrations: false })
  let connected: ReturnType<typeof backendOf> | undefined
  const library = async (max: number) => new OpenWorkflow({ backend: await (connected ??= backendOf(max)) })
  let handler: (task: Task) => void | Promise<void> = () => {}
  const taskOf = once(async () => {
    const ow = await library(10)
    const work = ow.defineWorkflow<Task, unknown>({ name: 'task' }, ({ input, step }) =>
      step.run({ name: 'one' }, async () => {
        await handler(input)
        return { ok: 1 }
      }),
    )
    return { ow, work }
  })
  const pool = new pg.Pool({ connectionString: place.postgresUrl, max: 1 })
  pool.on('error', () => {})
  const enqueue = async (task: Task) => {
    await (await taskOf()).work.run(task)
  }
  const startWorker: Opened['startWorker'] = async (options) => {
    handler = options.handler
    const { ow } = await taskOf()
    const worker = ow.newWorker(concurrencyOf(profile, options.slots ?? taskSlots))
    await worker.start()
    return { stop: () => worker.stop() }
  }
  const allRecorded = async () => {
    const { rows } = await pool.query<{ done: boolean }>(
      // All its indexes begin with the namespace.
      `select not exists (
         select from openworkflow.workflow_runs where namespace_id = 'default' and status in ('pending', 'running')
       ) as done`,
    )
    return rows[0]?.done === true
  }
  return {
    prepare: async () => {
      await (await BackendPostgres.connect(place.postgresUrl)).stop()
    },
    enqueue,
    enqueueMany: async (tasks) => {
      await Promise.all(tasks.map(enqueue))
    },
    startWorker,
    allRecorded,
    fillHistory: async (count) => {
      const { ow, work } = await taskOf()
      const worker = ow.newWorker()
      await worker.start()
      await (await work.run({ n: 1 })).result()
      await worker.stop()
      const moment = 'past.moment'
      const moved = { created_at: moment, updated_at: moment, started_at: moment, finished_at: moment }
      await copyHistory(place.postgresUrl, count, [
        { table: 'openworkflow.workflow_runs', changed: { id: 'past.id::text', ...moved } },
        {
          table: 'openworkflow.step_attempts',
          changed: { id: 'gen_random_uuid()::text', workflow_run_id: 'past.id::text', ...moved },
        },
      ])
    },
    startDurable: async (options) => startDurable(await library(20), profile, options),
    close: async () => {
      await (await connected)?.stop()
      await pool.end()
    },
  }
}

let registered = 0

async function startDurable(ow: Library, profile: Profile, { inFlight, role, onFirstStep }: DurableOptions) {
  const ends = new Ends()
  // Each under the same name in every process, and a new one at each start.
  const name = (kind: string) => ({ name: `${kind} ${registered}` })
  registered++
  const three = ow.defineWorkflow<{ run: number }, unknown>(name('three-steps'), async ({ input, step }) => {
    await step.run({ name: 'one' }, async () => {
      await onFirstStep?.()
      return { ok: 1 }
    })
    await step.run({ name: 'two' }, async () => ({ ok: 1 }))
    const result = await step.run({ name: 'three' }, async () => ({ ok: 3 }))
    ends.end(input.run)
    return result
  })
  const fan = ow.defineWorkflow<{ run: number; width: number }, unknown>(
    name('fan-out'),
    async ({ input, step }) => {
      const each = await Promise.all(
        Array.from({ length: input.width }, (_, n) =>
          step.run({ name: `each ${n}` }, async () => ({ ok: n })),
        ),
      )
      // It allows a thousand steps a run: the join is the function's result.
      ends.end(input.run)
      return { ok: each.length }
    },
  )
  const many = ow.defineWorkflow<{ run: number; count: number }, unknown>(
    name('many-steps'),
    async ({ input, step }) => {
      for (let n = 0; n < input.count; n++) await step.run({ name: `part ${n}` }, async () => ({ ok: 1 }))
      ends.end(input.run)
    },
  )
  const worker = role === 'client' ? undefined : ow.newWorker(concurrencyOf(profile, inFlight))
  await worker?.start()
  const ended = (start: (run: number) => Promise<{ result(): Promise<unknown> }>) =>
    profile === 'best' && role === 'both'
      ? ends.of(start)
      : start(0)
          .then((handle) => handle.result())
          .then(() => {})
  return {
    threeSteps: () => ended((run) => three.run({ run })),
    fanOut: (width: number) => ended((run) => fan.run({ run, width })),
    manySteps: (count: number) => ended((run) => many.run({ run, count })),
    stop: async () => worker?.stop(),
  }
}

function concurrencyOf(profile: Profile, concurrency: number): { concurrency?: number } {
  return profile === 'best' ? { concurrency } : {}
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
