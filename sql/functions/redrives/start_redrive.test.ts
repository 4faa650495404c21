// Redriving failed runs: each once, in place from where it failed or as a new run in its place, whoever asks and however often.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { whileFaulty } from '../../../test/faulty-runs.ts'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workAs } from '../../../test/failing-worker.ts'
import {
  attemptsOf,
  chain,
  claim,
  complete,
  connect,
  fail,
  newId,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  type Sql,
  startRun,
  startRuns,
  type StepSpec,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
  await database.close()
})
beforeEach(async () => {
  await database.query("select millrace.stop_worker(id, lock_key) from millrace.worker where state <> 'gone'")
})

interface Redrive {
  restart?: 'failed' | 'start' | 'step'
  step?: string
  version?: 'original' | 'latest'
  input?: unknown
  rate?: number
  key?: string
}

interface Redriven {
  created: boolean
  redrive_id: string
  total: number
  done: number
  refused: number
}

async function redrive(sql: Sql, filter: object, options: Redrive = {}): Promise<Redriven> {
  const [row] = await sql.query<Redriven & Record<string, unknown>>(
    'select * from millrace.start_redrive($1, $2, $3, $4, $5, $6, idempotency_key => $7)',
    [
      JSON.stringify(filter),
      options.restart ?? 'failed',
      options.step ?? null,
      options.version ?? 'original',
      options.input === undefined ? null : JSON.stringify(options.input),
      options.rate ?? null,
      options.key ?? null,
    ],
  )
  return row!
}

interface Item {
  run_id: string
  state: string
  reason: string | null
  detail: string | null
  new_run_id: string | null
}

/** Redrives one run, and answers with what became of it. */
async function redriveOne(run: string, options: Redrive = {}, sql: Sql = database): Promise<Item> {
  const { redrive_id } = await redrive(sql, { runs: [run] }, options)
  const [item] = await itemsOf(redrive_id)
  return item!
}

function itemsOf(id: string): Promise<Item[]> {
  return database.query<Item & Record<string, unknown>>(
    'select run_id, state, reason, detail, new_run_id from millrace.redrive_item where redrive_id = $1 order by run_id',
    [id],
  )
}

async function work(most = 200): Promise<{ worked: number; more: boolean }> {
  const [row] = await database.query<{ worked: number; more: boolean }>(
    'select * from millrace.work_redrives($1)',
    [most],
  )
  return row!
}

async function standing(id: string): Promise<Record<string, unknown>> {
  const [row] = await database.query('select * from millrace.redrive where id = $1', [id])
  return row!
}

/** A run of which one step fails for good; all others of it that can be done are. */
async function failed(
  slug: string,
  steps: StepSpec[],
  failing: string,
  options: { input?: unknown; key?: string[][]; message?: string } = {},
): Promise<{ run: string; worker: Worker }> {
  await registerPipeline(database, slug, steps, options.key)
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, slug, options.input ?? { n: 1 })
  await workAs(database, worker, (step) =>
    step === failing ? { fails: options.message ?? 'It broke.' } : undefined,
  )
  expect(await runOf(database, run)).toMatchObject({ state: 'failed' })
  return { run, worker }
}

test('E4 a failed run goes on where it failed: what was completed stays, failures count anew, and error and attempts are kept', async () => {
  const steps = [
    { name: 'a', after: [] },
    { name: 'b', after: ['a'], max_attempts: 2, backoff: { initial_ms: 0, jitter: 'none' as const } },
    { name: 'c', after: ['b'] },
  ]
  const { run, worker } = await failed('in-place', steps, 'b')
  expect(await database.query('select * from millrace.dead_letter where run_id = $1', [run])).toHaveLength(1)
  expect(await redriveOne(run)).toMatchObject({ state: 'done', reason: null, new_run_id: null })
  expect(await runOf(database, run)).toMatchObject({ state: 'running', error: null, finished_at: null })
  expect(await database.query('select * from millrace.dead_letter where run_id = $1', [run])).toEqual([])
  const [event] = await database.query(
    "select detail, step from millrace.event where run_id = $1 and kind = 'run.redriven'",
    [run],
  )
  expect(event).toMatchObject({
    step: 'b',
    detail: { error: { code: 'broken', message: 'It broke.' }, failed_at: expect.any(String) },
  })
  // One failure is not enough to give the step up again.
  const [task] = await claim(database, worker, 1)
  expect(task).toMatchObject({ attempt: 2, failures: 0 })
  expect(await fail(database, worker, [{ task: task! }])).toMatchObject([{ kind: 'retry' }])
  await workAs(database, worker, () => undefined)
  expect(await runOf(database, run)).toMatchObject({ state: 'completed', output: 'c' })
  expect(await outcomesOf(database, run)).toEqual([
    'a completed',
    'b failed',
    'b failed',
    'b completed',
    'c completed',
  ])
})

test('E4 two operators who redrive one run at once redrive it once, and the second is told so', async () => {
  const { run, worker } = await failed('at-once', chain('a', 'b'), 'b')
  const one = await connect(database)
  const other = await connect(database)
  await one.query('begin')
  const first = await redrive(one, { runs: [run] })
  const second = redrive(other, { runs: [run] })
  await untilBlocked(database)
  await one.query('commit')
  expect(first).toMatchObject({ total: 1, done: 1, refused: 0 })
  expect(await second).toMatchObject({ total: 1, done: 0, refused: 1 })
  expect(await itemsOf((await second).redrive_id)).toMatchObject([{ state: 'refused', reason: 'redriven' }])
  await workAs(database, worker, () => undefined)
  expect(await outcomesOf(database, run)).toEqual(['a completed', 'b failed', 'b completed'])
  await one.end()
  await other.end()
})

test('E4 two operators who put a new run in the place of one at once make one', async () => {
  const { run } = await failed('at-once-anew', chain('a', 'b'), 'b')
  const one = await connect(database)
  const other = await connect(database)
  await one.query('begin')
  const first = await redrive(one, { runs: [run] }, { restart: 'start' })
  const second = redrive(other, { runs: [run] }, { restart: 'step', step: 'b' })
  await untilBlocked(database)
  await one.query('commit')
  expect(first).toMatchObject({ done: 1 })
  expect(await itemsOf((await second).redrive_id)).toMatchObject([{ state: 'refused', reason: 'redriven' }])
  expect(await database.query('select kind from millrace.run_lineage where of_run = $1', [run])).toHaveLength(
    1,
  )
  await one.end()
  await other.end()
})

test('E4 asked twice under one idempotency key it is one redrive, also at the same moment; another request under that key is refused', async () => {
  const { run, worker } = await failed('asked-twice', chain('a'), 'a')
  const one = await connect(database)
  const other = await connect(database)
  await one.query('begin')
  const first = await redrive(one, { runs: [run] }, { key: 'once' })
  const second = redrive(other, { runs: [run] }, { key: 'once' })
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toEqual({ ...first, created: false })
  // It failed again since: the lost answer that is asked for again gives it no further attempts.
  await workAs(database, worker, () => ({ fails: 'again' }))
  expect(await redrive(database, { runs: [run] }, { key: 'once' })).toEqual({ ...first, created: false })
  expect(await runOf(database, run)).toMatchObject({ state: 'failed' })
  await expect(redrive(database, { runs: [run] }, { key: 'once', restart: 'start' })).rejects.toMatchObject({
    code: 'MR009',
  })
  await one.end()
  await other.end()
})

test('E4 10,000 failed runs, ordered twice and worked off by four at once while a worker works, are redriven once each', async () => {
  await registerPipeline(database, 'many', chain('a'))
  const worker = await registerWorker(database)
  const ids: string[] = []
  for (let part = 0; part < 10; part++) {
    const starts = Array.from({ length: 1_000 }, () => ({ id: newId(), slug: 'many' }))
    await startRuns(database, starts)
    ids.push(...starts.map(({ id }) => id))
    const tasks = await claim(database, worker, 1_000)
    await fail(
      database,
      worker,
      tasks.map((task) => ({ task, error: { code: 'broken', message: 'No.', retryable: false } })),
    )
  }
  const first = await redrive(database, { pipeline: 'many' })
  const second = await redrive(database, { pipeline: 'many' })
  expect([first.total, second.total]).toEqual([10_000, 10_000])
  let open = true
  const completing = (async () => {
    for (let quiet = 0; open || quiet < 2; ) {
      const tasks = await claim(database, worker, 500)
      quiet = tasks.length === 0 ? quiet + 1 : 0
      if (tasks.length > 0)
        await complete(
          database,
          worker,
          tasks.map((task) => ({ task, output: 1 })),
        )
    }
  })()
  const working = Array.from({ length: 4 }, async () => {
    for (;;) {
      await work()
      const [left] = await database.query('select 1 from millrace.redrive where finished_at is null')
      if (left === undefined) return
    }
  })
  await Promise.all(working)
  open = false
  await completing
  const [one, other] = await Promise.all([standing(first.redrive_id), standing(second.redrive_id)])
  expect(Number(one['done']) + Number(other['done'])).toBe(10_000)
  expect(Number(one['refused']) + Number(other['refused'])).toBe(10_000)
  expect(
    await database.query(
      `select count(*)::int as runs, min(n)::int as fewest, max(n)::int as most from (
         select count(*) as n from millrace.event where kind = 'run.redriven' and run_id = any ($1) group by run_id) e`,
      [ids],
    ),
  ).toEqual([{ runs: 10_000, fewest: 1, most: 1 }])
  expect(
    await database.query(
      `select state, count(*)::int as n from millrace.run where id = any ($1) group by state`,
      [ids],
    ),
  ).toEqual([{ state: 'completed', n: 10_000 }])
}, 120_000)

test('a run that failed again after it was ordered is another failure, and is not redriven by the older order', async () => {
  const { run, worker } = await failed('older-order', chain('a'), 'a')
  const order = await redrive(database, { pipeline: 'older-order' })
  expect(await redriveOne(run)).toMatchObject({ state: 'done' })
  await database.clock.advance(1_000)
  await workAs(database, worker, () => ({ fails: 'again' }))
  while ((await work()).more);
  expect(await itemsOf(order.redrive_id)).toMatchObject([{ state: 'refused', reason: 'redriven' }])
  expect(await runOf(database, run)).toMatchObject({ state: 'failed' })
})

test('a redrive of which a run is deleted before its turn is over once the others are', async () => {
  const runs: string[] = []
  for (const _ of [1, 2, 3]) runs.push((await failed('erased-item', chain('a'), 'a')).run)
  const { redrive_id, total } = await redrive(database, { pipeline: 'erased-item' }, { rate: 1 })
  expect(total).toBe(3)
  await database.query('select millrace.delete_run($1)', [runs[2]])
  for (const _ of runs) {
    await database.clock.advance(5_000)
    await work()
  }
  expect(await standing(redrive_id)).toMatchObject({ done: 2, refused: 0, finished_at: expect.any(Date) })
})

test('it is refused as live while another run holds its key, and so it is when that one is started at the same moment', async () => {
  const { run } = await failed('keyed', chain('a'), 'a', { input: { n: 7 }, key: [['n']] })
  const other = await connect(database)
  await other.query('begin')
  const { run_id: live } = await startRun(other, 'keyed', { n: 7 })
  const asked = redriveOne(run)
  await untilBlocked(database)
  await other.query('commit')
  expect(await asked).toMatchObject({
    state: 'refused',
    reason: 'live',
    detail: expect.stringContaining(live),
  })
  expect(await redriveOne(run, { restart: 'start' })).toMatchObject({ state: 'refused', reason: 'live' })
  await database.query('select millrace.cancel_run($1)', [live])

  await other.query('begin')
  await startRun(other, 'keyed', { n: 7 })
  const again = redriveOne(run)
  await untilBlocked(database)
  await other.query('rollback')
  expect(await again).toMatchObject({ state: 'done' })
  expect(await startRun(database, 'keyed', { n: 7 })).toMatchObject({ reason: 'live', run_id: run })
  await other.end()
})

test('of failed runs with one key one goes on, whatever order asks for all of them', async () => {
  const { run } = await failed('one-key', chain('a'), 'a', { input: { n: 1 }, key: [['n']] })
  const { run: second } = await failed('one-key', chain('a'), 'a', { input: { n: 1 }, key: [['n']] })
  const { redrive_id } = await redrive(database, { runs: [run, second] })
  const items = await itemsOf(redrive_id)
  expect(items.map(({ state }) => state).sort()).toEqual(['done', 'refused'])
  expect(items.find(({ state }) => state === 'refused')).toMatchObject({ reason: 'live' })
})

test('E4 an attempt that is still being aborted is taken back: what it reports later is refused, and its step is done once', async () => {
  await registerPipeline(database, 'fenced', [
    { name: 'slow', after: [] },
    { name: 'bad', after: [] },
    { name: 'end', after: ['slow', 'bad'] },
  ])
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'fenced')
  const [slow] = await workAs(database, worker, (step) => (step === 'slow' ? 'hold' : { fails: 'No.' }))
  expect(await redriveOne(run)).toMatchObject({ state: 'done' })
  expect(await complete(database, worker, [{ task: slow!, output: 'too late' }])).toMatchObject([
    { kind: 'lost' },
  ])
  expect(await attemptsOf(database, run, 'slow')).toMatchObject([
    { attempt: 1, outcome: 'reclaimed', error: { code: 'run_redriven' } },
  ])
  await workAs(database, worker, () => undefined)
  expect(await outcomesOf(database, run)).toEqual([
    'bad failed',
    'bad completed',
    'end completed',
    'slow reclaimed',
    'slow completed',
  ])
})

test('a run of which steps were undone can only be done again from the start; what follows its failure follows the next one as well', async () => {
  const steps: StepSpec[] = [
    { name: 'pay', after: [] },
    { name: 'ship', after: ['pay'] },
    { name: 'refund', undoes: 'pay', kind: 'undo' },
  ]
  const { run } = await failed('undone', steps, 'ship')
  expect(await outcomesOf(database, run)).toEqual(['pay completed', 'refund completed', 'ship failed'])
  expect(await redriveOne(run)).toMatchObject({ state: 'refused', reason: 'undone' })
  expect(await redriveOne(run, { restart: 'step', step: 'ship' })).toMatchObject({ reason: 'undone' })
  expect(await redriveOne(run, { restart: 'step', step: 'pay' })).toMatchObject({ state: 'done' })

  const tell: StepSpec[] = [
    { name: 'work', after: [] },
    { name: 'tell', kind: 'finally', follows: 'failed' },
  ]
  const { run: told, worker } = await failed('told', tell, 'work')
  await database.clock.advance(1_000)
  expect(await redriveOne(told)).toMatchObject({ state: 'done' })
  await database.clock.advance(1_000)
  await workAs(database, worker, (step) => (step === 'work' ? { fails: 'Still.' } : undefined))
  expect(await outcomesOf(database, told)).toEqual([
    'tell completed',
    'tell completed',
    'work failed',
    'work failed',
  ])
  expect(await runOf(database, told)).toMatchObject({ state: 'failed', error: { message: 'Still.' } })
})

test('of a map only the items that did not complete are done again, with as many at once as it allows', async () => {
  const steps: StepSpec[] = [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'], concurrency: 2 },
    { name: 'sum', after: ['each'] },
  ]
  await registerPipeline(database, 'mapped', steps)
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'mapped')
  const done: number[] = []
  const judge = (broken: number | undefined) => (step: string, task: { item: number }) => {
    if (step === 'list') return { output: [10, 20, 30, 40, 50] }
    if (step !== 'each') return undefined
    if (task.item === broken) return { fails: 'No.' }
    done.push(task.item)
    return { output: task.item }
  }
  await workAs(database, worker, judge(2))
  const before = [...done]
  expect(await redriveOne(run)).toMatchObject({ state: 'done' })
  expect(await claim(database, worker, 100)).toHaveLength(2)
  await database.query('update millrace.task set worker_id = null, claimed_at = null, attempt = attempt - 1')
  await workAs(database, worker, judge(undefined))
  expect(done.toSorted()).toEqual([0, 1, 2, 3, 4])
  expect(done.slice(0, before.length)).toEqual(before)
  const outputs = await database.query(
    "select output from millrace.read_outputs(array[$1::uuid], array['each'])",
    [run],
  )
  expect(outputs).toEqual([{ output: [0, 1, 2, 3, 4] }])
  expect(await runOf(database, run)).toMatchObject({ state: 'completed' })
})

test('items that a map tolerated stay as they are once a step after it has begun, and are tried again before that', async () => {
  const steps: StepSpec[] = [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'], fail_after: 2 },
    { name: 'sum', after: ['each'] },
    { name: 'beside', after: [] },
    { name: 'both', after: ['sum', 'beside'] },
  ]
  await registerPipeline(database, 'tolerant', steps)
  const worker = await registerWorker(database)
  const judge = (failing: string, item: number) => (step: string, task: { item: number }) => {
    if (step === 'list') return { output: [1, 2, 3] }
    if (step === failing || (step === 'each' && task.item === item)) return { fails: 'No.' }
    return step === 'each' ? { output: 'ok' } : undefined
  }
  const { run_id: used } = await startRun(database, 'tolerant')
  await workAs(database, worker, judge('both', 1))
  expect(await redriveOne(used)).toMatchObject({ state: 'done' })
  await workAs(database, worker, judge('none', -5))
  expect((await attemptsOf(database, used, 'each')).map(({ outcome }) => outcome)).toEqual([
    'completed',
    'failed',
    'completed',
  ])
  expect(await runOf(database, used)).toMatchObject({ state: 'completed' })

  const { run_id: unused } = await startRun(database, 'tolerant')
  await workAs(database, worker, (step, task) =>
    step === 'beside' ? 'hold' : step === 'sum' ? 'hold' : judge('none', 1)(step, task),
  )
  await database.query('select millrace.complete_run($1, $2)', [
    unused,
    JSON.stringify({ code: 'told', message: 'by hand' }),
  ])
  await database.query('delete from millrace.attempt where run_id = $1 and step = $2', [unused, 'sum'])
  expect(await redriveOne(unused)).toMatchObject({ state: 'done' })
  await workAs(database, worker, judge('none', -5))
  expect(await runOf(database, unused)).toMatchObject({ state: 'completed' })
})

test('joins wait for what is done again alone, and a step that was completed while the run failed is not', async () => {
  const steps: StepSpec[] = [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: [] },
    { name: 'join', after: ['a', 'b', 'c'] },
    { name: 'last', after: ['join', 'a'] },
  ]
  const { run, worker } = await failed('joined', steps, 'b')
  const before = await outcomesOf(database, run)
  expect(await redriveOne(run)).toMatchObject({ state: 'done' })
  await workAs(database, worker, () => undefined)
  expect(await runOf(database, run)).toMatchObject({ state: 'completed', output: 'last' })
  const after = await outcomesOf(database, run)
  for (const outcome of before) expect(after).toContain(outcome)
  for (const step of ['a', 'b', 'c', 'join', 'last'])
    expect(after.filter((outcome) => outcome === `${step} completed`)).toHaveLength(1)
})

test('from a chosen step, with another input or another version a new run takes its place, and keeps what stands before', async () => {
  const { run, worker } = await failed('anew', chain('a', 'b', 'c'), 'c', {
    input: { who: { name: 'Ada' }, n: 1 },
  })
  const item = await redriveOne(run, { restart: 'step', step: 'b', input: { who: { name: 'Bea' }, n: 1 } })
  expect(item).toMatchObject({ state: 'done', new_run_id: expect.any(String) })
  const made = item.new_run_id!
  expect(await runOf(database, made)).toMatchObject({
    state: 'pending',
    input: { who: { name: 'Bea' }, n: 1 },
  })
  expect(await runOf(database, run)).toMatchObject({ state: 'failed' })
  expect(await database.query('select 1 from millrace.dead_letter where run_id = $1', [run])).toEqual([])
  expect(await redriveOne(run)).toMatchObject({
    state: 'refused',
    reason: 'redriven',
    detail: expect.stringContaining(made),
  })
  await workAs(database, worker, () => undefined)
  expect(await attemptsOf(database, made)).toMatchObject([
    { step: 'a', output: 'a', reason: `copied from run ${run}` },
    { step: 'b', output: 'b', reason: null },
    { step: 'c', output: 'c', reason: null },
  ])
  expect(await database.query('select * from millrace.run_lineage where run_id = $1', [made])).toMatchObject([
    {
      of_run: run,
      kind: 'redrive',
      step: 'b',
      input_difference: [{ path: ['who', 'name'], before: 'Ada', after: 'Bea' }],
    },
  ])
})

test('the latest version takes a run from where it failed where all that is kept stands in it alike; else it says why not', async () => {
  const { run, worker } = await failed('moved', chain('a', 'b'), 'b')
  await registerPipeline(database, 'moved', [...chain('a', 'b'), { name: 'd', after: ['b'] }])
  expect(await redriveOne(run, { version: 'latest', restart: 'step', step: 'x' })).toMatchObject({
    reason: 'step_unknown',
  })
  expect(await redriveOne(run, { version: 'latest', restart: 'step', step: 'd' })).toMatchObject({
    reason: 'not_reached',
    detail: "'d' has not been reached: 'b' not final.",
  })
  const { new_run_id } = await redriveOne(run, { version: 'latest' })
  const handlers = (await database.query<{ id: number }>('select id from millrace.handler')).map(
    ({ id }) => id,
  )
  await workAs(database, { ...worker, handlers }, () => undefined)
  expect(await runOf(database, new_run_id!)).toMatchObject({ version: 2, state: 'completed', output: 'd' })
  expect(await outcomesOf(database, new_run_id!)).toEqual(['a completed', 'b completed', 'd completed'])

  const { run: other } = await failed('unfit', chain('a', 'b'), 'b')
  await registerPipeline(database, 'unfit', [
    { name: 'z', after: [] },
    { name: 'a', after: ['z'] },
    { name: 'b', after: ['a'] },
  ])
  expect(await redriveOne(other, { version: 'latest' })).toMatchObject({ reason: 'version_unfit' })
  expect(await redriveOne(other, { version: 'latest', restart: 'start' })).toMatchObject({ state: 'done' })
})

test("a rate is kept by the database's clock, an abort leaves the rest as it is, and both are told", async () => {
  await database.clock.freeze()
  await registerPipeline(database, 'paced', chain('a'))
  const worker = await registerWorker(database)
  for (let n = 0; n < 30; n++) await startRun(database, 'paced')
  await workAs(database, worker, () => ({ fails: `No ${newId()}.` }))
  const { redrive_id: id } = await redrive(database, { pipeline: 'paced' }, { rate: 10 })
  expect((await work()).worked).toBe(1)
  expect((await work()).worked).toBe(0)
  await database.clock.advance(500)
  expect((await work()).worked).toBe(5)
  await database.clock.advance(60_000)
  // What nobody came for is not made up for beyond a second's worth.
  expect((await work()).worked).toBe(10)
  expect(await standing(id)).toMatchObject({ total: 30, done: 16, refused: 0, finished_at: null })
  expect(await database.query('select millrace.abort_redrive($1) as aborted', [id])).toEqual([
    { aborted: true },
  ])
  expect(await database.query('select millrace.abort_redrive($1) as aborted', [id])).toEqual([
    { aborted: false },
  ])
  await database.clock.advance(60_000)
  expect((await work()).worked).toBe(0)
  expect(await standing(id)).toMatchObject({ done: 16, aborted_by: expect.any(String) })
  expect(
    await database.query("select count(*)::int as n from millrace.dead_letter where slug = 'paced'"),
  ).toEqual([{ n: 14 }])
  await database.clock.reset()
})

test('a run that somebody has at hand holds up nobody else, and is redriven in a later turn', async () => {
  await registerPipeline(database, 'at-hand', chain('a'))
  const worker = await registerWorker(database)
  for (let n = 0; n < 3; n++) await startRun(database, 'at-hand')
  await workAs(database, worker, () => ({ fails: 'No.' }))
  const [busy] = await database.query<{ run_id: string }>(
    "select run_id from millrace.dead_letter where slug = 'at-hand' limit 1",
  )
  const other = await connect(database)
  await other.query('begin')
  await other.query('select from millrace.run where id = $1 for update', [busy!.run_id])
  const { redrive_id: id } = await redrive(database, { pipeline: 'at-hand' })
  expect((await work()).worked).toBe(2)
  expect(await standing(id)).toMatchObject({ done: 2, finished_at: null })
  await other.query('commit')
  expect((await work()).worked).toBe(1)
  expect(await standing(id)).toMatchObject({ done: 3, finished_at: expect.any(Date) })
  await other.end()
})

test('who carries out one redrive holds up no other one: it is worked off, and can be aborted', async () => {
  const ids: string[] = []
  for (const slug of ['order-one', 'order-other']) {
    await registerPipeline(database, slug, chain('a'))
    const worker = await registerWorker(database)
    await startRun(database, slug)
    await startRun(database, slug)
    await workAs(database, worker, () => ({ fails: 'No.' }))
    ids.push((await redrive(database, { pipeline: slug })).redrive_id)
  }
  const other = await connect(database)
  try {
    await other.query('begin')
    await other.query('select * from millrace.work_redrives(1)')
    expect((await work(1)).worked).toBe(1)
    expect(await standing(ids[1]!)).toMatchObject({ done: 1, finished_at: null })
    expect(await database.query('select millrace.abort_redrive($1) as aborted', [ids[1]])).toEqual([
      { aborted: true },
    ])
    await other.query('commit')
  } finally {
    await other.end()
  }
  expect((await work()).worked).toBe(1)
  expect(await standing(ids[0]!)).toMatchObject({ done: 2, finished_at: expect.any(Date) })
})

test('a run that fails to go on for a lack that passes, such as a full disk, is redriven in a later turn', async () => {
  const { run } = await failed('on-a-full-disk', chain('a'), 'a')
  const ordered = await whileFaulty(
    database,
    { slug: 'on-a-full-disk', state: '53100', write: 'update', times: 4 },
    async () => {
      const { redrive_id } = await redrive(database, { runs: [run] })
      expect(await itemsOf(redrive_id)).toMatchObject([{ state: 'open', reason: null }])
      expect((await work()).worked).toBe(0)
      expect((await work()).worked).toBe(1)
      return redrive_id
    },
  )
  expect(await itemsOf(ordered)).toMatchObject([{ state: 'done', reason: null }])
  expect(await standing(ordered)).toMatchObject({ done: 1, refused: 0, finished_at: expect.any(Date) })
})

test('runs that fail for a lack that passes have their next turn after those which it kept from being tried', async () => {
  await registerPipeline(database, 'lacking', chain('a'))
  const worker = await registerWorker(database)
  for (let n = 0; n < 5; n++) await startRun(database, 'lacking')
  await workAs(database, worker, () => ({ fails: 'No.' }))
  const { redrive_id: id } = await redrive(database, { pipeline: 'lacking' })
  // All together, and then three one by one.
  await whileFaulty(database, { slug: 'lacking', state: '53100', write: 'update', times: 4 }, async () => {
    expect((await work()).worked).toBe(0)
  })
  const turns = await database.query(
    'select tries from millrace.redrive_item where redrive_id = $1 order by run_id',
    [id],
  )
  expect(turns.map(({ tries }) => tries)).toEqual([1, 1, 1, 0, 0])
  expect((await work(2)).worked).toBe(2)
  const open = (await itemsOf(id)).map(({ state }) => state)
  expect(open).toEqual(['open', 'open', 'open', 'done', 'done'])
  expect((await work()).worked).toBe(3)
})

test('what may be for good, as a damaged row is, is tried in a hundred turns and then refused', async () => {
  const { run } = await failed('damaged', chain('a'), 'a')
  const ordered = await whileFaulty(
    database,
    { slug: 'damaged', state: 'XX001', write: 'update', times: 1_000 },
    async () => {
      const { redrive_id } = await redrive(database, { runs: [run] })
      await database.query('update millrace.redrive_item set tries = 99 where redrive_id = $1', [redrive_id])
      expect((await work()).worked).toBe(0)
      expect((await work()).worked).toBe(1)
      return redrive_id
    },
  )
  expect(await itemsOf(ordered)).toMatchObject([
    { state: 'refused', reason: 'error', detail: 'could not extend file' },
  ])
})

test('failures of one kind have one fingerprint, whatever their ids, numbers and quoted texts, and other kinds another', async () => {
  const { run: one } = await failed('kinds', chain('a'), 'a', {
    message: `No route to "Ada" (order 17, ${newId()}).`,
  })
  const { run: two } = await failed('kinds', chain('a'), 'a', {
    message: `No route to "Bea" (order 4,711, ${newId()}).`,
  })
  const { run: other } = await failed('kinds', chain('a'), 'a', { message: 'It is closed.' })
  const prints = await database.query<{ run_id: string; fingerprint: string }>(
    "select run_id, fingerprint from millrace.dead_letter where slug = 'kinds'",
  )
  const print = (run: string) => prints.find(({ run_id }) => run_id === run)!.fingerprint
  expect(print(one)).toBe(print(two))
  expect(print(other)).not.toBe(print(one))
  // Those from before it was kept are found as well.
  await database.query('update millrace.dead_letter set fingerprint = null where run_id = $1', [two])
  const plan = await database.query('select * from millrace.plan_redrive($1)', [
    JSON.stringify({ fingerprint: print(one) }),
  ])
  expect(plan).toEqual([{ reason: null, runs: 2 }])
  const order = await redrive(database, { fingerprint: print(one) })
  expect(order.total).toBe(2)
  while ((await work()).more);
  expect(await runOf(database, other)).toMatchObject({ state: 'failed' })
  expect(await runOf(database, two)).toMatchObject({ state: 'running' })
})

test('a plan counts what would be redriven and refused, and changes nothing', async () => {
  const { run } = await failed('planned', chain('a', 'b'), 'b', { input: { n: 3 }, key: [['n']] })
  await failed('planned', chain('a', 'b'), 'b', { input: { n: 4 }, key: [['n']] })
  const { run_id: live } = await startRun(database, 'planned', { n: 3 })
  const plan = (more: unknown[] = []) =>
    database.query('select * from millrace.plan_redrive($1, $2, $3)', [
      JSON.stringify({ pipeline: 'planned' }),
      ...(more.length === 0 ? ['failed', null] : more),
    ])
  expect(await plan()).toEqual([
    { reason: null, runs: 1 },
    { reason: 'live', runs: 1 },
  ])
  expect(await plan(['step', 'nowhere'])).toEqual([{ reason: 'step_unknown', runs: 2 }])
  expect(await runOf(database, run)).toMatchObject({ state: 'failed' })
  await database.query('select millrace.cancel_run($1)', [live])
})

test('what a filter, a rate or an input can not be is an error that names it', async () => {
  for (const [filter, options] of [
    [{ pipelines: 'x' }, {}],
    [{ runs: [newId()], pipeline: 'x' }, {}],
    [{ runs: ['x'] }, {}],
    [{ runs: [null] }, {}],
    [{ runs: newId() }, {}],
    [{ since: 'yesterday evening' }, {}],
    [{ pipeline: 5 }, {}],
    [{}, { rate: 0 }],
    [{}, { input: 1 }],
    [{}, { restart: 'step' }],
    [{}, { step: 'x' }],
  ] as const)
    await expect(redrive(database, filter, options as Redrive)).rejects.toMatchObject({ code: 'MR014' })
  for (const filter of [{ runs: 'x' }, { runs: ['x'] }, { until: 'never' }, { other: 1 }])
    await expect(
      database.query('select millrace.plan_redrive($1)', [JSON.stringify(filter)]),
    ).rejects.toMatchObject({ code: 'MR014' })
  await expect(redrive(database, { runs: [newId()] })).rejects.toMatchObject({ code: 'MR006' })
  await expect(database.query('select millrace.abort_redrive($1)', [newId()])).rejects.toMatchObject({
    code: 'MR032',
  })
})
