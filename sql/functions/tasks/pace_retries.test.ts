// Retries: policies by error, delays that errors ask for, and the allowance of a pipeline.
import { beforeAll, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  attemptsOf,
  type ClaimedTask,
  claim,
  claimOne,
  fail,
  newId,
  registerWorker,
  runOf,
  startRun,
  startRuns,
  type Sql,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await database.clock.freeze()
})

const backoff = { initial_ms: 1000, factor: 2, max_ms: 60_000, jitter: 'none' }

async function workerOf(slug: string, step: object, graph: object = {}): Promise<Worker> {
  await database.query('select * from millrace.register_pipeline($1, $2)', [
    slug,
    JSON.stringify({ steps: [{ name: 'only', backoff, ...step }], ...graph }),
  ])
  const rows = await database.query<{ id: number }>('select id from millrace.handler where slug = $1', [slug])
  return registerWorker(database, { handlers: rows.map(({ id }) => id), slots: 500 })
}

const failure = (code: string, more: object = {}) => ({
  code,
  message: 'it is away',
  retryable: true,
  ...more,
})

/** Fails one run of the pipeline, and says how long the next try waits; undefined where there is none. */
async function delayOf(
  worker: Worker,
  slug: string,
  error: Record<string, unknown>,
): Promise<number | undefined> {
  await startRun(database, slug)
  const [answer] = await fail(database, worker, [{ task: await claimOne(database, worker), error }])
  const at = await database.clock.now()
  return answer?.retry_at ? answer.retry_at.getTime() - at.getTime() : undefined
}

async function many(slug: string, worker: Worker, n: number): Promise<ClaimedTask[]> {
  await startRuns(
    database,
    Array.from({ length: n }, () => ({ id: newId(), slug })),
  )
  return claim(database, worker, n)
}

const delays = async (sql: Sql, worker: Worker, tasks: readonly ClaimedTask[]) => {
  const at = await database.clock.now()
  const answers = await fail(
    sql,
    worker,
    tasks.map((task) => ({ task, error: failure('E') })),
  )
  return answers.map(({ retry_at }) => (retry_at?.getTime() ?? 0) - at.getTime()).toSorted((a, b) => a - b)
}

test('JQ-20 the first rule whose error fits by code, name or class gives attempts and delay, and the policy all others', async () => {
  const worker = await workerOf('ruled', {
    retry_rules: [
      { error: 'http_404', max_attempts: 1 },
      { error: 'http_*', backoff: { initial_ms: 5000, factor: 1, max_ms: 5000, jitter: 'none' } },
      { error: 'RateLimited', backoff: { initial_ms: 7000 } },
      { error: '100%_*', max_attempts: 1 },
    ],
  })
  expect(await delayOf(worker, 'ruled', failure('http_404'))).toBeUndefined()
  expect(await delayOf(worker, 'ruled', failure('http_503'))).toBe(5000)
  expect(await delayOf(worker, 'ruled', failure('Error', { classes: ['Slow', 'RateLimited'] }))).toBe(7000)
  expect(await delayOf(worker, 'ruled', failure('E', { name: 'RateLimited' }))).toBe(7000)
  expect(await delayOf(worker, 'ruled', failure('100%_x'))).toBeUndefined()
  expect(await delayOf(worker, 'ruled', failure('1000_x'))).toBe(1000)
  expect(await delayOf(worker, 'ruled', failure('E', { classes: 'none' }))).toBe(1000)
})

test('E1 a delay that an error asks for is taken where it can be read, and never makes a failure unrecordable', async () => {
  const worker = await workerOf('asking', { max_attempts: 100 })
  const inAnHour = new Date((await database.clock.now()).getTime() + 3_600_000).toISOString()
  expect(await delayOf(worker, 'asking', failure('E', { retry_after_ms: 2500 }))).toBe(2500)
  expect(await delayOf(worker, 'asking', failure('E', { retry_at: inAnHour }))).toBe(3_600_000)
  for (const unreadable of ['2001-13-01', 'soon', '9999999-01-01', ''])
    expect(await delayOf(worker, 'asking', failure('E', { retry_at: unreadable }))).toBe(1000)
  expect(await delayOf(worker, 'asking', failure('E', { retry_at: 'infinity' }))).toBeDefined()
  expect(await delayOf(worker, 'asking', failure('E', { retry_after_ms: 1e300 }))).toBe(31_536_000_000)
  expect(await delayOf(worker, 'asking', failure('E', { retry_after_ms: 'much' }))).toBe(1000)
  expect(await delayOf(worker, 'asking', failure('E', { retry_at: '2001-01-01T00:00:00Z' }))).toBe(0)
})

test('A10 a step that is not to outlive a lost worker is given up under the rule for that', async () => {
  const worker = await workerOf('lost', { retry_rules: [{ error: 'worker_lost', max_attempts: 1 }] })
  const { run_id } = await startRun(database, 'lost')
  const { task_id } = await claimOne(database, worker)
  await one.query('begin')
  await one.query('set local search_path to millrace, pg_temp')
  await one.query("select reclaim_tasks($1, $2, 'it is gone', now(), 'worker_lost')", [worker.id, [task_id]])
  await one.query('commit')
  expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { code: 'worker_lost' } })
})

test('retries beyond the allowance wait for their share, with the reason in the attempt and in why', async () => {
  const worker = await workerOf(
    'paced',
    { max_attempts: 10 },
    { retry_allowance: { share: 0.2, least: 2, per_ms: 60_000 } },
  )
  await startRuns(
    database,
    Array.from({ length: 20 }, () => ({ id: newId(), slug: 'paced' })),
  )
  const tasks = await claim(database, worker, 7)
  // A fifth of 20: four are free, then one every 15 s.
  expect(await delays(database, worker, tasks)).toEqual([1000, 1000, 1000, 1000, 15_000, 30_000, 45_000])
  const held = tasks.map(({ run_id }) => run_id)
  const attempts = (await Promise.all(held.map((run_id) => attemptsOf(database, run_id)))).flat()
  const reasons = attempts.flatMap(({ reason }) => reason ?? [])
  expect(reasons).toEqual(
    Array.from({ length: 3 }, () => 'the pipeline allows 4 retries in 60 s, and they were used up'),
  )
  const last = attempts.find(({ retry_at, finished_at }) => Number(retry_at) - Number(finished_at) === 45_000)
  const [told] = await database.query<{ sentence: string }>('select sentence from millrace.why($1)', [
    held[attempts.indexOf(last!)],
  ])
  expect(told?.sentence).toContain(
    ', when it has its share: the pipeline allows 4 retries in 60 s, and they were used up, after failure 1 of at most 10: it is away.',
  )
  // After a rest of its length all of it is there again.
  await database.clock.advance(120_000)
  const later = await registerWorker(database, { handlers: worker.handlers })
  expect(await delays(database, later, await claim(database, later, 2))).toEqual([1000, 1000])
})

test('two batches that fail at once share one allowance', async () => {
  const worker = await workerOf(
    'shared',
    { max_attempts: 10 },
    { retry_allowance: { share: 0, least: 2, per_ms: 60_000 } },
  )
  const tasks = await many('shared', worker, 4)
  await one.query('begin')
  const first = await delays(one, worker, tasks.slice(0, 2))
  const waiting = delays(other, worker, tasks.slice(2))
  await untilBlocked(database)
  await one.query('commit')
  expect([first, await waiting]).toEqual([
    [1000, 1000],
    [30_000, 60_000],
  ])
})

test('with "fail" what is beyond the allowance is given up, and says so', async () => {
  const worker = await workerOf(
    'strict',
    { max_attempts: 10 },
    { retry_allowance: { share: 0, least: 1, per_ms: 60_000, used_up: 'fail' } },
  )
  const tasks = await many('strict', worker, 2)
  expect(await delays(database, worker, tasks)).toEqual([1000])
  const states = await Promise.all(tasks.map(({ run_id }) => runOf(database, run_id)))
  expect(states.map(({ state }) => state).toSorted()).toEqual(['failed', 'running'])
  const failed = tasks[states.findIndex(({ state }) => state === 'failed')]!
  expect(await attemptsOf(database, failed.run_id)).toMatchObject([
    { retry_at: null, reason: 'the pipeline allows 1 retries in 60 s, and they were used up' },
  ])
})

test('nothing is written of allowances where there is none', async () => {
  const worker = await workerOf('free', {})
  expect(await delayOf(worker, 'free', failure('E'))).toBe(1000)
  expect(await database.query("select from millrace.retry_allowance where slug = 'free'")).toEqual([])
})

test.for([
  [{ retry_rules: {} }, {}, 'retry_rules that are no list'],
  [{ retry_rules: [{ max_attempts: 1 }] }, {}, 'without an error'],
  [{ retry_rules: [{ error: 'a', max_attempts: 0 }] }, {}, 'max_attempts'],
  [{ retry_rules: [{ error: 'a', backoff: { factor: 0 } }] }, {}, 'a backoff out of its bounds'],
  [{}, { retry_allowance: { share: 1, least: 1 } }, 'retry_allowance'],
  [{}, { retry_allowance: { share: 1, least: 1, per_ms: 60_000, used_up: 'burn' } }, 'retry_allowance'],
  [{}, { pause_after: 0 }, 'pause_after'],
  [{}, { pause_after: 'many' }, 'pause_after'],
  [{}, { pause_after: null }, 'pause_after'],
  [{ retry_rules: [{ error: 'a', backoff: { initial_ms: null } }] }, {}, 'a backoff out of its bounds'],
] as const)('%j %j is refused when it is registered', async ([step, graph, words]) => {
  await expect(workerOf('refused', step, graph)).rejects.toMatchObject({
    code: 'MR001',
    message: expect.stringContaining(words),
  })
})

test('E1 numbers that are whole in another spelling are taken as they are', async () => {
  await database.query('select * from millrace.register_pipeline($1, $2)', [
    'spelled',
    `{"pause_after": 2.0, "steps": [{"name": "only", "retry_rules": [{"error": "*", "max_attempts": 2.0, "backoff": {"initial_ms": 4.0e3, "jitter": "none"}}]}],
      "retry_allowance": {"share": 1e-1, "least": 3.0, "per_ms": 6e4}}`,
  ])
  const [handler] = await database.query<{ id: number }>(
    "select id from millrace.handler where slug = 'spelled'",
  )
  const worker = await registerWorker(database, { handlers: [handler!.id] })
  expect(await delayOf(worker, 'spelled', failure('E'))).toBe(4000)
})
