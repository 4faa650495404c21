// Pruning: what is over goes, by the week or in batches; what is live, queued or undecided stays.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkpointsOf, park, send, type Wait, writeCheckpoints } from '../../../test/waiting.ts'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  claimOne,
  complete,
  connect,
  fail,
  newId,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  startRun,
  untilBlocked,
  type Worker,
  workOff,
} from '../../../test/protocol.ts'

let database: TestDatabase
let worker: Worker
const monday = Date.parse('2031-06-02T00:00:00Z')
const day = 86_400_000
beforeAll(async () => {
  database = await createTestDatabase()
  await database.clock.freeze(new Date(monday))
  await database.query('select millrace.create_partitions()')
  await registerPipeline(database, 'kept', chain('a', 'b'))
  worker = await registerWorker(database, { leaseSeconds: 31_536_000 })
})
afterAll(() => database.close())

const start = async (slug = 'kept'): Promise<string> => {
  const now = await database.clock.now()
  return (await startRun(database, slug, { n: 1 }, { id: newId(now.getTime()) })).run_id
}

const completed = async (slug = 'kept'): Promise<string> => {
  const id = await start(slug)
  await workOff(database, worker)
  return id
}

const partitions = async (): Promise<string[]> => {
  const rows = await database.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'millrace.run'::regclass order by 1`,
  )
  return rows.map(({ name }) => name.replace('millrace.', ''))
}

const partitionOf = async (run: string): Promise<string> => {
  const [row] = await database.query<{ name: string }>(
    'select tableoid::regclass::text as name from millrace.run where id = $1',
    [run],
  )
  return row?.name.replace('millrace.', '') ?? 'gone'
}

const prune = async (batch = 1000): Promise<{ dropped_partitions: number; deleted_runs: number }> => {
  const [row] = await database.query<{ dropped_partitions: number; deleted_runs: number }>(
    'select dropped_partitions, deleted_runs from millrace.prune_history($1)',
    [batch],
  )
  return row ?? { dropped_partitions: -1, deleted_runs: -1 }
}

/** The exact kind of a run that pruning must spare, and what it is spared as. */
let spared: Record<'queued' | 'held' | 'delayed' | 'dead', string>

test('history lies in weekly partitions, made once, from this week to four ahead', async () => {
  expect(await partitions()).toEqual(
    ['run_2031w23', 'run_2031w24', 'run_2031w25', 'run_2031w26', 'run_2031w27', 'run_default'].sort(),
  )
  const [again] = await database.query('select millrace.create_partitions() as made')
  expect(again).toEqual({ made: 0 })
  expect(await partitionOf(await completed())).toBe('run_2031w23')
})

test('JQ-8 E10 a week beyond its retention is dropped; queued, live and undecided runs move with their history', async () => {
  const over = await completed()
  const dead = await start()
  const failing = await claimOne(database, worker)
  await fail(database, worker, [{ task: failing, error: { code: 'E', message: 'no', retryable: false } }])
  const held = await start()
  const first = await claimOne(database, worker)
  const [second] = await complete(database, worker, [{ task: first, output: 'kept' }])
  const queued = await start()
  const now = await database.clock.now()
  const availableAt = new Date(now.getTime() + 60 * day).toISOString()
  const delayed = (await startRun(database, 'kept', null, { id: newId(now.getTime()), availableAt })).run_id
  spared = { queued, held, delayed, dead }

  await database.clock.freeze(new Date(monday + 37 * day - 1000))
  expect(await prune()).toEqual({ dropped_partitions: 0, deleted_runs: 0 })
  expect(await partitionOf(over)).toBe('run_2031w23')
  await database.clock.freeze(new Date(monday + 37 * day + 1000))
  expect((await prune()).dropped_partitions).toBe(1)
  expect(await partitionOf(over)).toBe('gone')
  expect(await outcomesOf(database, over)).toEqual([])
  for (const run of Object.values(spared)) expect(await partitionOf(run)).toBe('run_default')
  expect(await outcomesOf(database, held)).toEqual(['a completed'])
  expect(await outcomesOf(database, dead)).toEqual(['a failed'])
  expect(await partitions()).not.toContain('run_2031w23')
  expect(await findBrokenInvariants(database, Object.values(spared))).toEqual([])

  await complete(database, worker, [{ task: { ...first, ...second, run_id: held }, output: 'end' }])
  expect(await runOf(database, held)).toMatchObject({ state: 'completed', output: 'end' })
})

test('E10 in the default partition too only what has ended is pruned, when its time has come', async () => {
  expect((await prune()).deleted_runs).toBe(0)
  await database.clock.advance('31 days')
  await prune()
  expect(await partitionOf(spared.held)).toBe('gone')
  for (const run of [spared.queued, spared.delayed, spared.dead])
    expect(await partitionOf(run)).toBe('run_default')
  expect(await findBrokenInvariants(database, [spared.queued, spared.delayed, spared.dead])).toEqual([])
})

test('JQ-8 a pipeline with a shorter retention is deleted in bounded batches, others are not touched', async () => {
  await database.query('select millrace.create_partitions()')
  await registerPipeline(database, 'brief', chain('a'))
  worker = await registerWorker(database, { leaseSeconds: 31_536_000 })
  await workOff(database, worker)
  await database.query("update millrace.pipeline set retention_days = 2 where slug = 'brief'")
  const long = await completed()
  for (let n = 0; n < 25; n++) await start('brief')
  await workOff(database, worker)
  const live = await start('brief')
  await database.clock.advance('47 hours')
  expect(await prune(10)).toEqual({ dropped_partitions: expect.any(Number), deleted_runs: 0 })
  await database.clock.advance('2 hours')
  expect((await prune(10)).deleted_runs).toBe(10)
  expect((await prune(10)).deleted_runs).toBe(10)
  expect((await prune(10)).deleted_runs).toBe(5)
  expect((await prune(10)).deleted_runs).toBe(0)
  expect([await partitionOf(long), await partitionOf(live)]).not.toContain('gone')
  expect(await findBrokenInvariants(database, [long, live])).toEqual([])
})

test('JQ-8 a partition that somebody reads is left for the next call, and the call does not wait', async () => {
  const old = await completed()
  const reader = await connect(database)
  await reader.query('begin')
  await reader.query('select count(*) from millrace.run')
  await database.clock.advance('60 days')
  const before = await partitions()
  expect((await prune()).dropped_partitions).toBe(0)
  expect(await partitions()).toEqual(before)
  await reader.query('commit')
  await reader.end()
  expect((await prune()).dropped_partitions).toBeGreaterThan(0)
  expect(await partitionOf(old)).toBe('gone')
})

test('two prunes at once: one does the work, the other does not wait for it', async () => {
  const busy = await connect(database)
  await busy.query('begin')
  await busy.query('select pg_advisory_xact_lock(77422, 2)')
  expect(await prune()).toEqual({ dropped_partitions: 0, deleted_runs: 0 })
  await busy.query('rollback')
  await busy.end()
})

test('B14 a week whose runs lie in the default partitions stays there, and the weeks after it are made', async () => {
  const now = await database.clock.now()
  const stray = await start()
  expect(await partitionOf(stray)).toBe('run_default')
  const [made] = await database.query<{ made: number; tables: number }>(
    'select millrace.create_partitions() as made, cardinality(millrace.history_tables()) as tables',
  )
  expect(made?.made).toBe(4 * (made?.tables ?? 0))
  await database.clock.advance('7 days')
  expect(await partitionOf(await start())).toMatch(/^run_2031w/)
  expect(now.getTime()).toBeGreaterThan(monday)
})

test('JQ-7 pruning removes expired idempotency keys, dead watches and workers long gone, and nothing that lives', async () => {
  const now = await database.clock.now()
  const id = newId(now.getTime())
  await startRun(database, 'kept', null, { id, idempotencyKey: 'k', idempotencySeconds: 3600 })
  await database.query('select millrace.watch_run($1, gen_random_uuid(), 60)', [id])
  const gone = await registerWorker(database)
  await database.query('select millrace.stop_worker($1, $2)', [gone.id, gone.lockKey])
  const counts = () =>
    database.query(
      `select (select count(*)::int from millrace.idempotency) as keys, (select count(*)::int from millrace.run_watch) as watches,
              (select count(*)::int from millrace.worker where id = $1) as workers`,
      [gone.id],
    )
  await prune()
  expect(await counts()).toEqual([{ keys: 1, watches: 1, workers: 1 }])
  await database.clock.advance('2 hours')
  await prune()
  expect(await counts()).toEqual([{ keys: 0, watches: 0, workers: 1 }])
  await database.clock.advance('31 days')
  await prune()
  expect(await counts()).toEqual([{ keys: 0, watches: 0, workers: 0 }])
})

test('what a run stored, asked and was sent goes with it; of one that sleeps it stays, however long', async () => {
  await database.clock.freeze(new Date(monday + 500 * day))
  await database.query('select millrace.create_partitions()')
  const { steps } = await registerPipeline(database, 'sleeper', chain('a'))
  const own = await registerWorker(database, { handlers: [steps[0]!.handler], leaseSeconds: 31_536_000 })
  const [slept, ended] = [await start('sleeper'), await start('sleeper')]
  for (const run of [slept, ended]) {
    const task = await claimOne(database, own)
    await send(database, 'unread', 1, { run })
    await writeCheckpoints(database, own, [{ task, name: 'stored', value: 1 }])
    await park(database, own, [{ task, waits: [{ name: 'boss', kind: 'approval', approval: {} }] }])
  }
  await send(database, 'nobody')
  await database.query('select millrace.cancel_run($1)', [ended])
  const left = async (run: string) =>
    (
      await database.query<{ of: string }>(
        `select 'approval' as of from millrace.approval where run_id = $1
         union all select 'signal' from millrace.signal where run_id = $1
         union all select 'checkpoint' from millrace.checkpoint where run_id = $1`,
        [run],
      )
    ).map(({ of }) => of)
  await database.clock.advance('29 days')
  await prune()
  expect(await left(ended)).toEqual(['approval', 'signal', 'checkpoint'])
  await database.clock.advance('10 days')
  await prune()
  expect(await left(ended)).toEqual([])
  expect(await left(slept)).toEqual(['approval', 'checkpoint'])
  expect(await checkpointsOf(database, slept, 'a')).toEqual({ stored: 1 })
  expect(await database.query('select * from millrace.signal')).toEqual([])
  expect(await partitionOf(slept)).toBe('run_default')
  expect(await findBrokenInvariants(database, [slept])).toEqual([])
})

test.each([
  ['its own retention is short', 'short', 1],
  ['its week is beyond all retention', 'old', 40],
])(
  'a called run that has ended stays until its caller has read how, also where %s',
  async (_, slug, days) => {
    await database.clock.advance('1 day')
    await database.query('select millrace.create_partitions()')
    const parents = await workerOf(database, `${slug}-caller`, chain('asks'))
    const children = await workerOf(database, `${slug}-called`, chain('works'))
    if (slug === 'short')
      await database.query('update millrace.pipeline set retention_days = 1 where slug = $1', [
        `${slug}-called`,
      ])
    const parent = await start(`${slug}-caller`)
    const now = (await database.clock.now()).getTime()
    const waits: Wait[] = [
      {
        name: 'both',
        kind: 'call',
        children: [0, 1].map((n) => ({ id: newId(now), slug: `${slug}-called`, input: n })),
      },
    ]
    const asking = await claimOne(database, parents)
    await park(database, parents, [{ task: asking, waits }])
    const [first, second] = await claim(database, children, 2)
    await complete(database, children, [{ task: first!, output: 'first' }])
    await database.clock.advance(`${days + 1} days`)
    await prune()
    expect(await partitionOf(first!.run_id)).not.toBe('gone')
    await complete(database, children, [{ task: second!, output: 'second' }])
    await complete(database, parents, [{ task: await claimOne(database, parents) }])
    const outcomes = await database.query<{ output: string }>(
      "select output from millrace.read_children($1, 'asks', -1, 'both')",
      [parent],
    )
    expect(outcomes.map(({ output }) => output).toSorted()).toEqual(['first', 'second'])
    await prune()
    expect(await partitionOf(first!.run_id)).toBe('gone')
  },
)

test('whoever makes partitions gives way to those at work, before a deadlock would be looked for', async () => {
  await database.clock.advance('60 days')
  const client = await connect(database)
  await client.query('begin')
  await client.query('lock table millrace.run in row exclusive mode')
  const made = database.query('select millrace.create_partitions() as made')
  await untilBlocked(database)
  // This would close the circle.
  const crossing = client.query('lock table millrace.attempt in row exclusive mode')
  expect(await made).toEqual([{ made: null }])
  await crossing
  await client.query('commit')
  await client.end()
  const [row] = await database.query<{ made: number; tables: number }>(
    'select millrace.create_partitions() as made, cardinality(millrace.history_tables()) as tables',
  )
  expect(row?.made).toBe(5 * (row?.tables ?? 0))
})
