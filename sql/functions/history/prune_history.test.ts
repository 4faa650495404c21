// Pruning: what is over goes, by the week or in batches; what is live, queued or undecided stays.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkpointsOf, park, send, type Wait, writeCheckpoints } from '../../../test/waiting.ts'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  completeAll,
  connect,
  fail,
  heartbeat,
  newId,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  type Sql,
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

interface Pruned extends Record<string, unknown> {
  dropped_partitions: number
  deleted_runs: number
  more: boolean
}

/** One call, which brings a week that is due one step further, or does everything else. */
const pruneOnce = async (sql: Sql = database, batch = 1000): Promise<Pruned> => {
  const [row] = await sql.query<Pruned>('select * from millrace.prune_history($1)', [batch])
  return row!
}

/** Until all weeks that are due are dropped, and once more. */
const prune = async (batch = 1000): Promise<{ dropped_partitions: number; deleted_runs: number }> => {
  let dropped_partitions = 0
  for (;;) {
    const { deleted_runs, ...turn } = await pruneOnce(database, batch)
    dropped_partitions += turn.dropped_partitions
    if (deleted_runs > 0 || !turn.more) return { dropped_partitions, deleted_runs }
  }
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

/** A week with runs that were cancelled, one that sleeps, and nothing else; beyond its retention, and the week of now is there. */
async function cancelledWeek(runs: number): Promise<{ week: string; sleeps: string }> {
  await database.clock.advance('70 days')
  worker = await workerOf(database, 'weekly', chain('a', 'b'))
  await prune()
  await database.query('select millrace.create_partitions()')
  for (let n = 0; n < runs; n++) await cancelRun(database, await start('weekly'))
  const sleeps = await start('weekly')
  const task = await claimOne(database, worker)
  await park(database, worker, [
    { task, waits: [{ name: 'go', kind: 'signal', signals: ['go'], take: 'next' }] },
  ])
  const week = (await partitionOf(sleeps)).replace('run_', '')
  await database.clock.advance('60 days')
  await database.query('select millrace.create_partitions()')
  return { week, sleeps }
}

/** How many rows are left that only say of a run of this week how it ended. */
const leftOf = async (week: string): Promise<number> => {
  const rows = await database.query(
    `select from millrace.unsuccessful_run, millrace.week_begins($1) b
      where run_id >= millrace.uuid_floor(b) and run_id < millrace.uuid_floor(b + interval '7 days')`,
    [week],
  )
  return rows.length
}

const isThere = async (table: string, sql: Sql = database): Promise<boolean> => {
  const [row] = await sql.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    `millrace.${table}`,
  ])
  return row!.there
}

/** What workers do all the time, by one who would rather fail than wait. */
async function goesOn(run: string): Promise<void> {
  const hasty = await connect(database)
  await hasty.query("set lock_timeout = '300ms'")
  const tasks = await claim(hasty, worker, 1)
  expect(tasks.map((task) => task.run_id)).toEqual([run])
  expect(await heartbeat(hasty, worker, tasks)).toEqual([expect.objectContaining({ kind: 'order' })])
  await completeAll(hasty, worker, tasks)
  await hasty.end()
}

test('JQ-8 what is left of a week is cleared and dropped while workers claim, heartbeat and complete; a call that is undone is taken up', async () => {
  const { week, sleeps } = await cancelledWeek(25)
  const pruner = await connect(database)
  await pruner.query('begin')
  expect(await pruneOnce(pruner, 1)).toEqual({ dropped_partitions: 0, deleted_runs: 0, more: true })
  // Under the locks of this one nothing is done but taking the week out: none of it is read through, and nothing is deleted.
  const read = await pruner.query(
    `select relname from pg_stat_xact_user_tables where schemaname = 'millrace' and relname like '%' || $1 and seq_scan > 0`,
    [week],
  )
  expect(read).toEqual([])
  expect(await isThere(`run_${week}`, pruner)).toBe(true)
  await pruner.query('commit')
  expect(await leftOf(week)).toBe(25)
  expect(await partitionOf(sleeps)).toBe('run_default')
  // Nobody erases from what may be dropped in the same moment.
  expect(
    await database.query(
      `select t.name from unnest(millrace.tables_of_runs() || millrace.tables_of_tenants()) t(name) where t.name like '%' || $1`,
      [week],
    ),
  ).toEqual([])

  const turns: number[] = []
  for (let dropped = 0; dropped === 0; ) {
    const run = await start('weekly')
    await pruner.query('begin')
    const turn = await pruneOnce(pruner, 1)
    await goesOn(run)
    await pruner.query(turns.length === 1 ? 'rollback' : 'commit')
    turns.push(await leftOf(week))
    dropped = turn.dropped_partitions
    await workOff(database, worker)
  }
  expect(turns).toEqual([15, 15, 5, 0, 0])
  expect([await isThere(`run_${week}`), await isThere(`attempt_${week}`)]).toEqual([false, false])
  await pruner.end()
  expect(await findBrokenInvariants(database, [sleeps])).toEqual([])
})

test('JQ-8 a call that the server cancels over a week undoes itself alone, and the next one goes on where it was', async () => {
  const { week, sleeps } = await cancelledWeek(5)
  expect((await pruneOnce()).more).toBe(true)
  const busy = await connect(database)
  await busy.query('begin')
  await busy.query('select from millrace.unsuccessful_run for update')
  const pruner = await connect(database)
  await pruner.query("set statement_timeout = '200ms'")
  await expect(pruneOnce(pruner)).rejects.toMatchObject({ code: '57014' })
  await busy.query('rollback')
  await busy.end()
  await pruner.end()
  expect(await partitionOf(sleeps)).toBe('run_default')
  expect(await leftOf(week)).toBe(5)
  expect(await pruneOnce()).toEqual({ dropped_partitions: 0, deleted_runs: 0, more: true })
  expect(await leftOf(week)).toBe(0)
  expect(await pruneOnce()).toEqual({ dropped_partitions: 1, deleted_runs: 0, more: true })
  expect(await isThere(`run_${week}`)).toBe(false)
  expect(await findBrokenInvariants(database, [sleeps])).toEqual([])
})

test('JQ-8 a week of which more stays than can be moved at once is not taken out: what ended is deleted from it', async () => {
  const { week, sleeps } = await cancelledWeek(25)
  await database.query(
    `insert into millrace.event (run_id, at, actor, kind) select $1, millrace.now(), 'test', 'step.logged' from generate_series(1, 100)`,
    [sleeps],
  )
  let deleted = 0
  for (let more = true; more; ) {
    const turn = await pruneOnce(database, 10)
    more = turn.more
    deleted += turn.deleted_runs
  }
  expect(deleted).toBe(25)
  expect(await partitionOf(sleeps)).toBe(`run_${week}`)
  expect(await leftOf(week)).toBe(0)
  expect((await prune()).dropped_partitions).toBeGreaterThan(0)
  expect(await partitionOf(sleeps)).toBe('run_default')
  expect(await findBrokenInvariants(database, [sleeps])).toEqual([])
})
