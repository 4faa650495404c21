// At a million runs, a million attempts and a million waiting tasks, no verb reads a table from end to end, and none reads more of an
// index than what it works on. Counted by the server itself, whatever the functions' statements are.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from './database.ts'
import {
  type Connection,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  connect,
  fail,
  heartbeat,
  newId,
  pauseRun,
  promote,
  registerPipeline,
  registerWorker,
  release,
  resumeRun,
  startRun,
  startRuns,
  startStep,
  sweep,
  type Worker,
} from './protocol.ts'
import { park, send, writeCheckpoints } from './waiting.ts'

const million = 1_000_000
let database: TestDatabase
let one: Connection
let worker: Worker
let busy: Worker
beforeAll(async () => {
  database = await createTestDatabase()
  one = await connect(database)
  await database.query('select millrace.create_partitions()')
  await registerPipeline(database, 'backlog', chain('a', 'b'))
  await registerPipeline(database, 'keyed', chain('a', 'b'), [['n']])
  await registerPipeline(database, 'joined', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: ['a', 'b'] },
    { name: 'd', kind: 'map', over: 'c', after: ['c'] },
  ])
  await fill()
  worker = await registerWorker(database, {
    handlers: await handlersOf('keyed', 'joined'),
    leaseSeconds: 3600,
  })
  busy = await registerWorker(database, { handlers: await handlersOf('backlog'), leaseSeconds: 3600 })
}, 120_000)
afterAll(async () => {
  await one.end()
  await database.close()
})

async function handlersOf(...slugs: string[]): Promise<number[]> {
  const rows = await database.query<{ id: number }>('select id from millrace.handler where slug = any ($1)', [
    slugs,
  ])
  return rows.map(({ id }) => id)
}

/** Rows as the functions would have written them, but in a few statements: runs of three days, a tenth of them live. */
async function fill(): Promise<void> {
  await database.query('alter table millrace.run disable trigger all')
  const begin = new Date(Date.now() - 12 * 3_600_000).toISOString()
  const id = `overlay(millrace.uuid_floor('${begin}'::timestamptz + n * interval '40 ms')::text placing lpad(to_hex(n), 12, '0') from 25)::uuid`
  const fillings = [
    `insert into millrace.run (id, slug, version, tenant, state, started_via, started_by, created_at, started_at, finished_at, input, output)
     select ${id}, case when n % 100 = 0 then 'keyed' else 'backlog' end, 1, 'tenant-' || n % 1000, case when n % 10 = 0 then 'running' else 'completed' end,
            'sql', 'filler', now(), now(), case when n % 10 = 0 then null else now() end, '1', case when n % 10 = 0 then null else '1'::jsonb end
       from generate_series(1, ${million}) n`,
    `insert into millrace.attempt (run_id, step, item, attempt, outcome, output, ready_at, started_at, finished_at)
     select ${id}, 'earlier', -1, 1, 'completed', '1', now(), now(), now() from generate_series(1, ${million}) n`,
    `insert into millrace.task (handler, priority, run_id, step_id, ready_at)
     select d.handler, n % 9 + 1, ${id}, d.id, now() from millrace.step_definition d, generate_series(1, ${million}) n
      where d.slug = 'backlog' and d.step = 'a'`,
    `insert into millrace.waiting_task (handler, priority, run_id, step_id, reason, available_at)
     select d.handler, 5, gen_random_uuid(), d.id, 'retry', now() + interval '1 day' from millrace.step_definition d, generate_series(1, 60000) n
      where d.slug = 'backlog' and d.step = 'a'`,
    `insert into millrace.join_state (run_id, step_id, needs_left) select gen_random_uuid(), 1, 1 from generate_series(1, 60000)`,
    `insert into millrace.live_key (slug, key, run_id) select 'keyed', 'k' || n, gen_random_uuid() from generate_series(1, 60000) n`,
    `insert into millrace.idempotency (slug, key, input_digest, run_id, expires_at)
     select 'keyed', 'k' || n, '', gen_random_uuid(), now() + interval '1 day' from generate_series(1, 60000) n`,
    `insert into millrace.dead_letter (run_id, slug, error, failed_at) select gen_random_uuid(), 'keyed', '{}', now() from generate_series(1, 60000)`,
    `with waiting as (
       insert into millrace.wait (run_id, step_id, name, place, attempt, kind, signal_names, signal_take, due_at, created_at)
       select gen_random_uuid(), d.id, 'w', 0, 1, case when n % 2 = 0 then 'sleep' else 'signal' end,
              case when n % 2 = 1 then '{crowded}'::text[] end, case when n % 2 = 1 then 'next' end, now() + interval '1 day', now()
         from millrace.step_definition d, generate_series(1, 120000) n where d.slug = 'backlog' and d.step = 'a'
       returning id, run_id, kind
     )
     insert into millrace.wait_signal (wait_id, name, take, run_id) select id, 'crowded', 'next', run_id from waiting where kind = 'signal'`,
    `insert into millrace.signal (name, payload, sent_at, sent_by) select 'heap', '1', now(), 'filler' from generate_series(1, 60000)`,
    `insert into millrace.checkpoint (run_id, step, name, place, kind, attempt, value, created_at)
     select gen_random_uuid(), 'a', 'x', 0, 'run', 1, '1', now() from generate_series(1, 60000)`,
    `insert into millrace.approval (id, run_id, step, name, remind_at, created_at)
     select gen_random_uuid(), gen_random_uuid(), 'a', 'x', now() + interval '1 day', now() from generate_series(1, 60000)`,
  ]
  await Promise.all(fillings.map((filling) => database.query(filling)))
  await database.query('alter table millrace.run enable trigger all')
  await database.query('analyze')
}

interface Reads {
  tables: string[]
  entries: number
}

/** What the work of `act`, on a connection of its own, read: tables from end to end, and entries of the large tables' indexes. */
async function readsOf(act: () => Promise<unknown>): Promise<Reads> {
  const before = await counters()
  await act()
  const after = await counters()
  const tables = [...after.scans]
    .filter(([table, scans]) => scans > (before.scans.get(table) ?? 0))
    .map(([table]) => table)
  return { tables, entries: after.entries - before.entries }
}

async function counters(): Promise<{ scans: Map<string, number>; entries: number }> {
  await one.query('select pg_stat_force_next_flush()')
  const rows = await one.query<{ name: string; scans: number; entries: number }>(
    `select s.relname as name, s.seq_scan::int as scans,
            (select coalesce(sum(i.idx_tup_read), 0)::int from pg_stat_user_indexes i where i.relid = s.relid) as entries
       from pg_stat_user_tables s join pg_class c on c.oid = s.relid where s.schemaname = 'millrace' and c.reltuples > 50000`,
  )
  return {
    scans: new Map(rows.map(({ name, scans }) => [name, scans])),
    entries: rows.reduce((sum, { entries }) => sum + entries, 0),
  }
}

const verbs: [string, (sql: Connection) => Promise<unknown>][] = [
  ['start_run', (sql) => startRun(sql, 'backlog')],
  ['start_run with a run key that is free', (sql) => startRun(sql, 'keyed', { n: 'new' })],
  ['start_run with a run key that is live', (sql) => startRun(sql, 'keyed', { n: 'k77' })],
  [
    'start_run with an idempotency key',
    (sql) => startRun(sql, 'keyed', { n: 'other' }, { idempotencyKey: 'new' }),
  ],
  [
    'start_run with an idempotency key, refused by its run key',
    (sql) => startRun(sql, 'keyed', { n: 'k77' }, { idempotencyKey: 'unused' }),
  ],
  [
    'start_run with an idempotency key that is known',
    (sql) =>
      startRun(sql, 'keyed', { n: 'k77' }, { idempotencyKey: 'k77' }).catch(
        (error: { code: string }) => error.code,
      ),
  ],
  ['start_runs handed over', (sql) => startRuns(sql, [{ id: newId(), slug: 'joined' }], worker, 5)],
  [
    'complete_tasks of a chain and its end',
    async (sql) => {
      const task = await claimOne(sql, busy)
      const [next] = await complete(sql, busy, [{ task }], { leastUrgent: 1 })
      return complete(sql, busy, [{ task: { ...task, ...next, run_id: task.run_id } }])
    },
  ],
  [
    'complete_tasks of joins and maps',
    async (sql) => {
      const { run_id } = await startRun(sql, 'joined')
      for (let open = await claim(sql, worker, 5); open.length > 0; open = await claim(sql, worker, 5)) {
        const next = await complete(
          sql,
          worker,
          open.map((task) => ({ task, output: [1, 2] })),
        )
        await release(
          sql,
          worker,
          next.map((task) => ({ ...task, run_id })),
        )
      }
    },
  ],
  ['fail_tasks, tried again', async (sql) => fail(sql, busy, [{ task: await claimOne(sql, busy) }])],
  [
    'fail_tasks, for good',
    async (sql) =>
      fail(sql, busy, [
        { task: await claimOne(sql, busy), error: { code: 'E', message: 'm', retryable: false } },
      ]),
  ],
  ['release_tasks', async (sql) => release(sql, busy, [await claimOne(sql, busy)])],
  ['hold_task', (sql) => sql.query('select millrace.hold_task($1, $2, 1, 1, 1)', [busy.id, busy.lockKey])],
  ['heartbeat_worker with sweep and claim', (sql) => heartbeat(sql, busy, [], { sweep: true, room: 5 })],
  ['promote_tasks', (sql) => promote(sql)],
  ['send_signal to a name for which thousands wait', (sql) => send(sql, 'crowded')],
  [
    'park_tasks, a kept signal among thousands, and complete_tasks',
    async (sql) => {
      const task = await claimOne(sql, busy)
      await writeCheckpoints(sql, busy, [{ task, name: 'a' }])
      await park(sql, busy, [{ task, waits: [{ name: 'w', kind: 'signal', signals: ['heap'] }] }])
      await sql.query('update millrace.task set priority = 1, attempt = 0 where run_id = $1', [task.run_id])
    },
  ],
  [
    'a sleep, a call and an approval from park to end',
    async (sql) => {
      const { run_id } = await startRun(sql, 'keyed', { n: 'parks' })
      const task = await claimOne(sql, worker)
      const id = newId()
      await park(sql, worker, [
        {
          task,
          waits: [
            { name: 'nap', kind: 'sleep', ms: 0 },
            { name: 'ask', kind: 'call', start: { id, slug: 'keyed', input: { n: 'child' } } },
            { name: 'boss', kind: 'approval', approval: {} },
          ],
        },
      ])
      await cancelRun(sql, run_id)
    },
  ],
  [
    'cancel_run',
    async (sql) => {
      const { run_id } = await startRun(sql, 'keyed', { n: 'cancelled' })
      return cancelRun(sql, run_id)
    },
  ],
  [
    'pause_run and resume_run',
    async (sql) => {
      const { run_id } = await startRun(sql, 'backlog')
      await pauseRun(sql, run_id)
      return resumeRun(sql, run_id)
    },
  ],
  [
    'the verbs of executors outside',
    async (sql) => {
      const { run_id } = await startRun(sql, 'backlog')
      await startStep(sql, run_id, 'a')
      await sql.query("select millrace.log_step($1, 'a', 1, 'm'), millrace.heartbeat_step($1, 'a', 1)", [
        run_id,
      ])
      await sql.query("select millrace.complete_step($1, 'a', 1)", [run_id])
      await startStep(sql, run_id, 'b')
      await sql.query("select millrace.fail_step($1, 'b', 1, '{}')", [run_id])
    },
  ],
  [
    'report_tasks, follow_stream and read_progress',
    async (sql) => {
      const task = await claimOne(sql, busy)
      const said = ['{"done": 1}', '{"a": 1}', '{"name": "m", "value": 1, "labels": {}}', '1']
      const same = (value: unknown) => said.map(() => value)
      await sql.query(
        `select millrace.report_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], '{progress,metadata,metric,part}', $6::jsonb[], '{null,null,null,0}')`,
        [busy.id, busy.lockKey, same(task.task_id), same(task.step_id), same(task.attempt), said],
      )
      await sql.query(
        'select millrace.follow_stream($1, 0, 100, gen_random_uuid()), millrace.read_progress($1)',
        [task.run_id],
      )
      await release(sql, busy, [task])
    },
  ],
  [
    'read_outputs, run_progress, watch_run and watch_runs',
    async (sql) => {
      const { run_id } = await startRun(sql, 'backlog')
      await sql.query(
        `select millrace.run_progress($1), millrace.watch_run($1, gen_random_uuid(), 60), millrace.read_outputs(array[$1::uuid], array['a'])`,
        [run_id],
      )
      await sql.query('select from millrace.watch_runs($1, gen_random_uuid(), 60)', [
        [run_id, (await startRun(sql, 'backlog')).run_id],
      ])
    },
  ],
]

test.each(verbs)(
  'PP-D5 PP-D6 PP-D7 %s reads no table from end to end, and of the indexes only what it works on',
  async (_, act) => {
    await act(one)
    const reads = await readsOf(() => act(one))
    expect(reads.tables).toEqual([])
    expect(reads.entries).toBeLessThan(500)
  },
)

test('F3 a claim on a backlog of a million tasks reads the index in its order, and only what it claims', async () => {
  const claimTen = () => claim(one, busy, 10)
  await claimTen()
  const reads = await readsOf(claimTen)
  expect(reads.tables).toEqual([])
  expect(reads.entries).toBeLessThan(500)
})

test('a sweep looks through the tasks once, however many workers are gone', async () => {
  for (let n = 0; n < 20; n++) {
    const lost = await registerWorker(one, { handlers: busy.handlers, leaseSeconds: 1 })
    await claim(one, lost, 3)
  }
  await database.clock.advance('30 minutes')
  const scans = async () => (await counters()).scans.get('task') ?? 0
  const before = await scans()
  expect(await sweep(one)).toBe(20)
  // A scan that is shared by parallel workers of the server is counted once for each of them.
  expect((await scans()) - before).toBeLessThanOrEqual(3)
})

test.each([
  [
    'by time',
    'where id >= millrace.uuid_floor(now() - interval $$2 hours$$) and id < millrace.uuid_floor(now() - interval $$1 hour$$) order by id desc limit 50',
  ],
  ['by pipeline', "where slug = 'keyed' and version = 1 order by id desc limit 50"],
  [
    'by pipeline and time',
    "where slug = 'keyed' and version = 1 and id >= millrace.uuid_floor(now() - interval $$2 hours$$) order by id limit 50",
  ],
  ['by tenant', "where tenant = 'tenant-7' order by id desc limit 50"],
])('JQ-31 runs %s are an index range scan', async (_, condition) => {
  const reads = await readsOf(async () => {
    const rows = await one.query(`select id, state from millrace.run ${condition}`)
    expect(rows.length).toBeGreaterThan(40)
  })
  expect(reads.tables).toEqual([])
  expect(reads.entries).toBeLessThan(200)
})
