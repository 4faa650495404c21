// Failures in a row: counted in one row whoever fails at once, and paused exactly once after as many as the version says.
import { beforeAll, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  type ClaimedTask,
  claim,
  claimOne,
  complete,
  fail,
  newId,
  registerWorker,
  type Sql,
  startRun,
  startRuns,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await database.clock.freeze()
})

const step = { name: 'only', max_attempts: 1 }
const error = { code: 'E', message: 'it is away', retryable: true }

async function workerOf(slug: string, graph: object): Promise<Worker> {
  await database.query('select * from millrace.register_pipeline($1, $2)', [
    slug,
    JSON.stringify({ steps: [step], ...graph }),
  ])
  const rows = await database.query<{ id: number }>('select id from millrace.handler where slug = $1', [slug])
  return registerWorker(database, { handlers: rows.map(({ id }) => id), slots: 500 })
}

const failAll = (sql: Sql, worker: Worker, tasks: readonly ClaimedTask[]) =>
  fail(
    sql,
    worker,
    tasks.map((task) => ({ task, error })),
  )

async function failOne(worker: Worker, slug: string, input: unknown): Promise<string> {
  const { run_id, created } = await startRun(database, slug, input)
  expect(created).toBe(true)
  await failAll(database, worker, [await claimOne(database, worker)])
  return run_id
}

const streaks = (slug: string) =>
  database.query<{ key: string | null; failures: number; paused: boolean }>(
    'select key, failures, paused_at is not null as paused from millrace.failure_streak where slug = $1 order by key',
    [slug],
  )

const events = (slug: string, kind: string) =>
  database.query<{ detail: unknown }>(
    'select e.detail from millrace.event e join millrace.run r on r.id = e.run_id where r.slug = $1 and e.kind = $2',
    [slug, kind],
  )

async function many(slug: string, worker: Worker, n: number): Promise<ClaimedTask[]> {
  await startRuns(
    database,
    Array.from({ length: n }, () => ({ id: newId(), slug })),
  )
  return claim(database, worker, n)
}

const isPaused = async (slug: string) =>
  (await database.query('select from millrace.pipeline where slug = $1 and paused_at is not null', [slug]))
    .length === 1

/** Fails on two connections, so that the second waits for the first. */
async function failTogether(worker: Worker, first: ClaimedTask[], second: ClaimedTask[]): Promise<void> {
  await one.query('begin')
  await failAll(one, worker, first)
  const waiting = failAll(other, worker, second)
  await untilBlocked(database)
  await one.query('commit')
  await waiting
}

test('PP-D13 of two failures at once that reach the number exactly one pauses the pipeline', async () => {
  const worker = await workerOf('both', { pause_after: 2 })
  const tasks = await many('both', worker, 3)
  await failTogether(worker, tasks.slice(0, 1), tasks.slice(1))
  expect(await streaks('both')).toEqual([{ key: null, failures: 3, paused: false }])
  expect(await isPaused('both')).toBe(true)
  expect(await events('both', 'pipeline.paused')).toEqual([{ detail: { failures: 3 } }])
  expect(await startRun(database, 'both')).toMatchObject({ created: false, reason: 'paused' })
})

test('PP-D13 fifty failures on many connections at once count fifty', async () => {
  const worker = await workerOf('fifty', { pause_after: 50 })
  const tasks = await many('fifty', worker, 50)
  await Promise.all(tasks.slice(0, 49).map((task) => failAll(database, worker, [task])))
  expect(await streaks('fifty')).toEqual([{ key: null, failures: 49, paused: false }])
  expect(await isPaused('fifty')).toBe(false)
  await failAll(database, worker, tasks.slice(49))
  expect(await streaks('fifty')).toMatchObject([{ failures: 50 }])
  expect(await events('fifty', 'pipeline.paused')).toHaveLength(1)
})

test('PP-D13 a success resets the count, and so does resuming', async () => {
  const worker = await workerOf('reset', { pause_after: 2 })
  await failOne(worker, 'reset', null)
  expect(await streaks('reset')).toMatchObject([{ failures: 1 }])
  await startRun(database, 'reset')
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect(await streaks('reset')).toEqual([])
  await failOne(worker, 'reset', null)
  await failOne(worker, 'reset', null)
  expect(await isPaused('reset')).toBe(true)
  await database.query("select millrace.resume_pipeline('reset')")
  expect(await streaks('reset')).toEqual([])
  await failOne(worker, 'reset', null)
  expect(await isPaused('reset')).toBe(false)
})

test('PP-D13 failures of one run key pause that key alone: its starts say why, and how to resume', async () => {
  const worker = await workerOf('keyed', { pause_after: 2, key: [['state']] })
  await failOne(worker, 'keyed', { state: 'NY' })
  const last = await failOne(worker, 'keyed', { state: 'NY' })
  await failOne(worker, 'keyed', { state: 'CA' })
  expect(await streaks('keyed')).toEqual([
    { key: 'CA', failures: 1, paused: false },
    { key: 'NY', failures: 2, paused: true },
  ])
  expect(await events('keyed', 'key.paused')).toEqual([{ detail: { key: 'NY', failures: 2 } }])
  expect(await startRun(database, 'keyed', { state: 'NY' }, { idempotencyKey: 'again' })).toMatchObject({
    created: false,
    reason: 'paused',
    run_id: null,
  })
  expect(await database.query("select from millrace.live_key where slug = 'keyed'")).toEqual([])
  expect(await database.query("select from millrace.idempotency where slug = 'keyed'")).toEqual([])
  const [told] = await database.query<{ tell_pause: string }>(
    `select millrace.tell_pause('keyed', '{"state": "NY"}')`,
  )
  expect(told?.tell_pause).toContain("The key 'NY' of pipeline 'keyed' is paused since")
  expect(told?.tell_pause).toContain(
    `the last one ${last}; resume it with: npx millrace pipeline resume-key keyed 'NY'`,
  )
  expect(await startRun(database, 'keyed', { state: 'CA' })).toMatchObject({ created: true })

  const resume = () =>
    database.query<{ resumed: boolean }>("select millrace.resume_key('keyed', 'NY') as resumed")
  expect(await resume()).toEqual([{ resumed: true }])
  expect(await resume()).toEqual([{ resumed: false }])
  expect(await events('keyed', 'key.resumed')).toHaveLength(1)
  expect(await startRun(database, 'keyed', { state: 'NY' }, { idempotencyKey: 'again' })).toMatchObject({
    created: true,
  })
})

test('PP-D13 a start that waits for the run whose failure pauses its key is refused', async () => {
  const worker = await workerOf('waited-for', { pause_after: 1, key: [['state']] })
  await startRun(database, 'waited-for', { state: 'NY' })
  const task = await claimOne(database, worker)
  await one.query('begin')
  await failAll(one, worker, [task])
  const late = startRun(other, 'waited-for', { state: 'NY' })
  await untilBlocked(database)
  await one.query('commit')
  expect(await late).toMatchObject({ created: false, reason: 'paused' })
})

test('PP-D13 keys of tenants are counted apart, and what has no number to pause after is not counted', async () => {
  const worker = await workerOf('tenants', { pause_after: 1, key: [['state']] })
  await startRun(database, 'tenants', { state: 'NY' }, { tenant: 'a' })
  await failAll(database, worker, [await claimOne(database, worker)])
  expect(await startRun(database, 'tenants', { state: 'NY' }, { tenant: 'a' })).toMatchObject({
    reason: 'paused',
  })
  expect(await startRun(database, 'tenants', { state: 'NY' }, { tenant: 'b' })).toMatchObject({
    created: true,
  })
  const plain = await workerOf('plain', {})
  await failOne(plain, 'plain', null)
  expect(await streaks('plain')).toEqual([])
})
