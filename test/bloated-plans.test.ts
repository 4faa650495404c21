// Somebody's long transaction keeps thousands of dead rows, and the planner, which counts live ones, takes the tables for empty: every verb
// still finds by their keys the rows that it was given. Counted in buffers, before and after.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buffersOf } from './buffers.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import {
  type Connection,
  cancelRun,
  chain,
  claim,
  complete,
  connect,
  fail,
  heartbeat,
  newId,
  pauseRun,
  registerPipeline,
  registerWorker,
  release,
  type Sql,
  startRuns,
  type Task,
  type Worker,
  workOff,
} from './protocol.ts'
import { defineLimit } from './limits.ts'
import { openWaits, park, send, writeCheckpoints } from './waiting.ts'

const given = 10
let database: TestDatabase
let one: Connection
let reader: Connection
let worker: Worker

const onlyOnce = { code: 'E', message: 'm', retryable: false }
const nap = { name: 'nap', kind: 'sleep', ms: 100_000 } as const
const news = { name: 'news', kind: 'signal', signals: ['news'] } as const
const answer = (n: number) => ({ name: 'ask', kind: 'http', token: `${n}`.padStart(64, '0') }) as const

/** Each verb, on ten tasks of the pipeline in its name: what is counted, after what isn't. */
const verbs: [string, (counted: Sql, sql: Sql) => Promise<unknown>][] = [
  ['start_runs with run keys', (counted) => start(counted, 'keyed', given)],
  [
    'complete_tasks at the end',
    async (counted, sql) => complete(counted, worker, done(await held(sql, 'only'))),
  ],
  [
    'complete_tasks of a chain',
    async (counted, sql) => complete(counted, worker, done(await held(sql, 'chained'))),
  ],
  [
    'complete_tasks of later attempts',
    async (counted, sql) => complete(counted, worker, done(await heldAgain(sql, 'chained'))),
  ],
  [
    'complete_tasks of joins and maps',
    async (counted, sql) => {
      await held(sql, 'joined')
      for (let left = await allHeld(sql); left.length > 0; left = await allHeld(sql)) {
        await complete(counted, worker, done(left))
      }
    },
  ],
  [
    'fail_tasks, tried again',
    async (counted, sql) =>
      fail(
        counted,
        worker,
        (await held(sql, 'only')).map((task) => ({ task })),
      ),
  ],
  [
    'fail_tasks, for good',
    async (counted, sql) =>
      fail(
        counted,
        worker,
        (await held(sql, 'joined')).map((task) => ({ task, error: onlyOnce })),
      ),
  ],
  [
    'complete_tasks under limits',
    async (counted, sql) => complete(counted, worker, done(await held(sql, 'limited'))),
  ],
  ['claim_tasks, turn by turn', async (counted, sql) => claimOf(counted, sql, 'fair')],
  ['claim_tasks in strict order', async (counted, sql) => claimOf(counted, sql, 'ordered')],
  [
    'fail_tasks under a breaker',
    async (counted, sql) =>
      fail(
        counted,
        worker,
        (await held(sql, 'limited')).map((task) => ({ task })),
      ),
  ],
  ['release_tasks', async (counted, sql) => release(counted, worker, await held(sql, 'only'))],
  [
    'heartbeat_worker',
    async (counted, sql) => heartbeat(counted, worker, await held(sql, 'only'), { sweep: true }),
  ],
  [
    'park_tasks',
    async (counted, sql) =>
      park(
        counted,
        worker,
        (await held(sql, 'only')).map((task) => ({ task, waits: [nap, news] })),
      ),
  ],
  [
    'open_waits and write_checkpoints of an endpoint',
    async (counted, sql) => {
      const tasks = await held(sql, 'only')
      await openWaits(
        counted,
        worker,
        tasks.map((task, n) => ({ task, waits: [answer(n)] })),
      )
      await writeCheckpoints(
        counted,
        worker,
        tasks.map((task) => ({ task, name: 'ask', kind: 'http' })),
      )
    },
  ],
  [
    'write_checkpoints, new, known and lost',
    async (counted, sql) => {
      const tasks = await held(sql, 'only')
      await writeCheckpoints(
        counted,
        worker,
        tasks.map((task) => ({ task, name: 'first' })),
      )
      await writeCheckpoints(
        counted,
        worker,
        tasks.map((task, n) => ({ task: { ...task, attempt: task.attempt + (n % 2) }, name: 'first' })),
      )
    },
  ],
  [
    'report_tasks',
    async (counted, sql) => {
      const tasks = await held(sql, 'only')
      await counted.query(
        'select millrace.report_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::jsonb[], $8::int[])',
        [
          ...columns(tasks),
          tasks.map((_, n) => (n % 2 ? 'part' : 'progress')),
          tasks.map(() => '{"done": 1}'),
          tasks.map((_, n) => (n % 2 ? 0 : null)),
        ],
      )
    },
  ],
  [
    'log_tasks',
    async (counted, sql) => {
      const tasks = await held(sql, 'only')
      await counted.query(
        'select millrace.log_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::jsonb[])',
        [...columns(tasks), tasks.map(() => 'a line'), tasks.map(() => null)],
      )
    },
  ],
  [
    'send_signal to all that wait for it',
    async (counted, sql) => {
      await parkAll(sql)
      await counted.query("select millrace.send_signal('news', to_all => true)")
    },
  ],
  [
    'send_signal to who waits longest',
    async (counted, sql) => {
      await parkAll(sql)
      await counted.query("select millrace.send_signal('news')")
    },
  ],
  [
    'claim_batches',
    async (counted, sql) => {
      await start(sql, 'batched', given)
      await counted.query('select * from millrace.claim_batches($1, $2, 10, $3)', [
        worker.id,
        worker.lockKey,
        worker.handlers,
      ])
      const claimed = await allHeld(sql)
      expect(claimed).toHaveLength(given)
      await complete(sql, worker, done(claimed))
    },
  ],
  [
    'receive_deliveries, new and again',
    async (counted, sql) => {
      const rows = await receive(sql, given)
      await receive(counted, given)
      await receive(counted, given, rows)
      await workOff(sql, worker, () => [1])
    },
  ],
  [
    'age_tasks',
    async (counted, sql) => {
      await start(sql, 'ageing', given)
      await sql.query("update millrace.task set ready_at = ready_at - interval '1 hour'")
      await sql.query('set local search_path = millrace, pg_temp')
      await counted.query('select millrace.age_tasks(millrace.now())')
    },
  ],
  [
    'take_lock behind a holder, twice, and after one that lost its task',
    async (counted, sql) => {
      const [first, ...others] = await held(sql, 'only')
      await takeLock(sql, first!, newId())
      const asked = others.map((task) => ({ task, request: newId() }))
      for (let times = 0; times < 2; times++) {
        for (const { task, request } of asked) await takeLock(counted, task, request)
      }
      await sql.query('update millrace.task set attempt = 2 where id = $1', [first!.task_id])
      await takeLock(counted, asked[0]!.task, asked[0]!.request)
    },
  ],
  ['pause_run', async (counted, sql) => pauseRun(counted, (await held(sql, 'joined'))[0]!.run_id)],
  ['cancel_run', async (counted, sql) => cancelRun(counted, (await held(sql, 'joined'))[0]!.run_id)],
]

const fresh = new Map<string, number>()

/** Deliveries that start a run each; answers with them, for whoever wants to send them again. */
async function receive(sql: Sql, count: number, again?: object[]): Promise<object[]> {
  const rows =
    again ??
    Array.from({ length: count }, () => {
      const id = newId()
      return { id, webhook: 'plans', provider_id: id, state: 'accepted', status: 202 }
    })
  const starts = rows.map((_, n) => ({ place: n + 1, run_id: newId(), slug: 'only', input: { n: `${n}` } }))
  await sql.query('select * from millrace.receive_deliveries($1::jsonb, null, $2::jsonb)', [
    JSON.stringify(rows),
    JSON.stringify(starts),
  ])
  return rows
}

beforeAll(async () => {
  database = await createTestDatabase()
  await registerPipeline(database, 'only', [{ name: 'a' }])
  await registerPipeline(database, 'chained', chain('a', 'b'))
  await registerPipeline(database, 'keyed', chain('a', 'b'), [['n']])
  await registerPipeline(database, 'joined', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: ['a', 'b'] },
    { name: 'd', kind: 'map', over: 'c', after: ['c'] },
  ])
  await registerPipeline(database, 'batched', [
    { name: 'a', batch: { size: given, within_ms: 1_000, key: [['account']] } },
  ])
  await registerPipeline(database, 'limited', [{ name: 'a' }])
  await defineLimit(database, 'by-key', { kind: 'concurrency', capacity: 100, key: [['n']] }, 'limited')
  await database.query('select millrace.register_pipeline($1, $2)', [
    'ageing',
    JSON.stringify({ steps: [{ name: 'a' }], ageing_ms: 60_000 }),
  ])
  await registerPipeline(database, 'fair', [{ name: 'a' }])
  await registerPipeline(database, 'ordered', [{ name: 'a' }])
  await defineLimit(database, 'turns', { kind: 'fairness', key: [['n']] }, 'fair')
  const order = { kind: 'concurrency', capacity: 1, key: [['n']], fifo: 'block' }
  await defineLimit(database, 'order', order, 'ordered')
  await defineLimit(
    database,
    'fragile',
    { kind: 'breaker', failures: 1000, window_ms: 1, cooldown_ms: 1 },
    'limited',
  )
  await database.query('select millrace.define_webhooks($1::jsonb)', [
    JSON.stringify([
      {
        name: 'plans',
        provider: 'standard',
        pipelines: ['only'],
        secrets: ['s'],
        settings: {},
        kept_days: 1,
      },
    ]),
  ])
  await database.query(`select millrace.define_schedule('nightly', 'only', '{"cron": "0 3 * * *"}')`)
  worker = await registerWorker(database, { leaseSeconds: 3600 })
  one = await connect(database)
  await die(20)
  await database.query('analyze')
  for (const [name, verb] of verbs) fresh.set(name, await buffersOf(one, verb))

  reader = await connect(database)
  await reader.query('begin isolation level repeatable read')
  await reader.query('select count(*) from millrace.run')
  await die(600)
}, 120_000)
afterAll(async () => {
  await reader.end()
  await one.end()
  await database.close()
})

/** Runs of every pipeline from start to end, some of them parked and woken, so that each table keeps dead rows. */
async function die(runs: number): Promise<void> {
  for (const slug of ['only', 'chained', 'keyed', 'joined', 'limited']) {
    await start(one, slug, runs)
    await workOff(one, worker, () => [1])
  }
  for (let batch = 0; batch < runs / given; batch++) {
    await start(one, 'batched', given)
    await one.query('select from millrace.claim_batches($1, $2, 10, $3)', [
      worker.id,
      worker.lockKey,
      worker.handlers,
    ])
    await complete(one, worker, done(await allHeld(one)))
  }
  const received = await receive(one, runs)
  await receive(one, runs, received)
  await workOff(one, worker, () => [1])
  await start(one, 'only', runs)
  await parkAll(one, runs)
  await send(one, 'news', null, { all: true })
  await workOff(one, worker)
  await fire(one, runs)
}

/** Firings of so many slots, whose rows die with their runs. */
async function fire(sql: Sql, slots: number): Promise<void> {
  await sql.query(
    `insert into millrace.firing (schedule_id, slot_at, kind, overlap, state, due_at, fired_at, fired_by, run_id, started_at)
     select s.id, now() + n * interval '1 second', 'scheduled', 'skip', 'started', now(), now(), 'test', gen_random_uuid(), now()
       from millrace.schedule s, generate_series(1, $1) n`,
    [slots],
  )
  await sql.query('delete from millrace.firing')
}

async function start(sql: Sql, slug: string, count: number): Promise<void> {
  await startRuns(
    sql,
    Array.from({ length: count }, (_, n) => ({ id: newId(), slug, input: { n: `${n}` } })),
  )
}

/** The tasks of ten new runs, held by the worker. */
async function held(sql: Sql, slug: string): Promise<Task[]> {
  await start(sql, slug, given)
  await claim(sql, worker, 2 * given)
  return allHeld(sql)
}

/** Claims the tasks of ten new runs of one pipeline. */
async function claimOf(counted: Sql, sql: Sql, slug: string): Promise<void> {
  await start(sql, slug, given)
  const own = await sql.query<{ id: number }>('select id from millrace.handler where slug = $1', [slug])
  await claim(counted, { ...worker, handlers: own.map(({ id }) => id) }, given)
}

async function heldAgain(sql: Sql, slug: string): Promise<Task[]> {
  const tasks = await held(sql, slug)
  await sql.query('update millrace.task set attempt = 2 where worker_id = $1', [worker.id])
  return tasks.map((task) => ({ ...task, attempt: 2 }))
}

const allHeld = (sql: Sql): Promise<Task[]> =>
  sql.query<Task & Record<string, unknown>>('select * from millrace.list_held_tasks($1, $2)', [
    worker.id,
    worker.lockKey,
  ])

async function parkAll(sql: Sql, runs = given): Promise<void> {
  if (runs === given) await start(sql, 'only', runs)
  const tasks = await claim(sql, worker, runs)
  await park(
    sql,
    worker,
    tasks.map((task) => ({ task, waits: [news] })),
  )
}

const takeLock = (sql: Sql, { task_id, step_id, attempt }: Task, request: string) =>
  sql.query(`select * from millrace.take_lock($1, $2, $3, $4, $5, $6, 'shared')`, [
    worker.id,
    worker.lockKey,
    task_id,
    step_id,
    attempt,
    request,
  ])

const done = (tasks: Task[]) => tasks.map((task) => ({ task, output: [1] }))

const columns = (tasks: Task[]): unknown[] => [
  worker.id,
  worker.lockKey,
  tasks.map(({ task_id }) => task_id),
  tasks.map(({ step_id }) => step_id),
  tasks.map(({ attempt }) => attempt),
]

// Few live rows are worse than none: then each look-up by a key is thought to cost a part of the index, and reading all of it once no more.
test.each([0, 3])(
  'F1 every verb reads at most four times as much once thousands of dead rows lie in the tables and the planner knows of %i live tasks',
  async (live) => {
    if (live > 0) await start(one, 'only', live)
    await database.query('analyze')
    const costly: string[] = []
    for (const [name, verb] of verbs) {
      const now = await buffersOf(one, verb)
      const before = fresh.get(name)!
      if (now > 4 * before) costly.push(`${name}: ${before} buffers before, ${now} now`)
    }
    expect(costly).toEqual([])
  },
  60_000,
)
