// Starts: unique by run key and idempotency key, all or none, and never by an id or a time that can't be right.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  type Connection,
  cancelRun,
  chain,
  claim,
  complete,
  connect,
  newId,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  startRun,
  startRuns,
  untilBlocked,
  workOff,
} from '../../../test/protocol.ts'

let database: TestDatabase
const connections: Connection[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  await registerPipeline(database, 'plain', chain('only'))
  await registerPipeline(database, 'keyed', chain('only'), [['state']])
  await registerPipeline(database, 'twice-keyed', chain('only'), [['state'], ['place', 'city']])
  for (let n = 0; n < 50; n++) connections.push(await connect(database))
})
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.end()))
  await database.close()
})

/** One hundred calls, two by each of fifty connections, all at once. */
async function hundredTimes<Result>(
  call: (connection: Connection, n: number) => Promise<Result>,
): Promise<Result[]> {
  const pairs = await Promise.all(
    connections.map(async (connection, n) => [await call(connection, n), await call(connection, n + 50)]),
  )
  return pairs.flat()
}

const liveRuns = async (slug: string): Promise<number> => {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from millrace.run where slug = $1 and finished_at is null',
    [slug],
  )
  return row?.n ?? -1
}

test('PP-C1 PP-C5 a hundred concurrent starts with one key give one live run and a hundred equal ids', async () => {
  const answers = await hundredTimes((connection) => startRun(connection, 'keyed', { state: 'TX' }))
  expect(new Set(answers.map(({ run_id }) => run_id)).size).toBe(1)
  expect(answers.filter(({ created }) => created)).toHaveLength(1)
  expect(answers.filter(({ reason }) => reason === 'live')).toHaveLength(99)
  expect(await liveRuns('keyed')).toBe(1)
})

test('PP-C1 a key is free again when its run has ended, and only then', async () => {
  const { run_id } = await startRun(database, 'keyed', { state: 'NM' })
  expect(await startRun(database, 'keyed', { state: 'NM' })).toMatchObject({
    created: false,
    reason: 'live',
    run_id,
  })
  expect(await startRun(database, 'keyed', { state: 'NM' }, { tenant: 'other' })).toMatchObject({
    created: true,
  })
  await cancelRun(database, run_id)
  const next = await startRun(database, 'keyed', { state: 'NM' })
  expect(next).toMatchObject({ created: true })
  expect(next.run_id).not.toBe(run_id)
})

test('PP-C1 a start waits for the end of the run that holds its key, and takes the key over', async () => {
  const [ending, starting] = connections as [Connection, Connection]
  const { run_id } = await startRun(database, 'keyed', { state: 'UT' })
  await ending.query('begin')
  await cancelRun(ending, run_id)
  const waiting = startRun(starting, 'keyed', { state: 'UT' })
  await untilBlocked(database)
  await ending.query('commit')
  expect(await waiting).toMatchObject({ created: true })
})

test('PP-C1 batches that name the same keys in opposite orders never wait for each other in a circle', async () => {
  const states = Array.from({ length: 20 }, (_, n) => `S${n}`)
  const batches = await Promise.all(
    connections.slice(0, 8).map((connection, n) =>
      startRuns(
        connection,
        (n % 2 === 0 ? states : states.toReversed()).map((state) => ({
          id: newId(),
          slug: 'keyed',
          input: { state },
        })),
      ),
    ),
  )
  expect(batches.flat().filter(({ reason }) => reason === 'live')).toHaveLength(7 * 20)
})

test('PP-C1 two starts of one key in one batch are one run', async () => {
  const [first, second] = [newId(), newId()]
  const answers = await startRuns(database, [
    { id: first, slug: 'keyed', input: { state: 'CO' } },
    { id: second, slug: 'keyed', input: { state: 'CO' } },
  ])
  expect(answers).toMatchObject([{ reason: 'live', run_id: second, live_run_id: first }])
})

test('a run key is made of the values at all its paths, and a missing one is named', async () => {
  const { run_id } = await startRun(database, 'twice-keyed', { state: 'TX', place: { city: 'Waco' } })
  expect((await runOf(database, run_id)).key).toBe('["TX", "Waco"]')
  await expect(startRun(database, 'twice-keyed', { state: 'TX', place: {} })).rejects.toMatchObject({
    code: 'MR003',
    message: "The input of pipeline 'twice-keyed' has no value at place.city, which its run key needs.",
  })
  await expect(startRun(database, 'keyed', ['no object'])).rejects.toMatchObject({ code: 'MR003' })
})

test("a start inside the caller's transaction commits and rolls back with it", async () => {
  const [caller] = connections as [Connection]
  await caller.query('begin')
  const lost = await startRun(caller, 'keyed', { state: 'AZ' })
  await caller.query('rollback')
  await expect(runOf(database, lost.run_id)).rejects.toThrow('there is no run')
  await caller.query('begin')
  const kept = await startRun(caller, 'keyed', { state: 'AZ' })
  await caller.query('commit')
  expect(kept.created).toBe(true)
  expect((await runOf(database, kept.run_id)).state).toBe('pending')
})

test('a start that is asked again under its own id is the same start, however often and at once', async () => {
  const id = newId()
  const answers = await hundredTimes((connection) => startRun(connection, 'keyed', { state: 'WY' }, { id }))
  expect(answers).toEqual(answers.map(() => ({ created: true, reason: null, run_id: id })))
  const [tasks] = await database.query('select count(*)::int as n from millrace.task where run_id = $1', [id])
  expect(tasks).toEqual({ n: 1 })
  await cancelRun(database, id)
  expect(await startRun(database, 'keyed', { state: 'WY' }, { id })).toMatchObject({
    created: true,
    run_id: id,
  })
  expect((await runOf(database, id)).state).toBe('cancelled')
})

test('an id is the same start within its tenant alone', async () => {
  const id = newId()
  expect(await startRun(database, 'plain', 1, { id, tenant: 'a' })).toMatchObject({ created: true })
  expect(await startRun(database, 'plain', 1, { id, tenant: 'a' })).toMatchObject({
    created: true,
    run_id: id,
  })
  for (const tenant of ['b', null])
    await expect(
      startRun(database, 'plain', 1, { id, ...(tenant === null ? {} : { tenant }) }),
    ).rejects.toMatchObject({
      code: 'MR009',
    })
})

test('E2 a hundred parallel posts with one idempotency key are one run', async () => {
  const answers = await hundredTimes((connection) =>
    startRun(connection, 'plain', { order: 1 }, { idempotencyKey: 'post-1' }),
  )
  expect(new Set(answers.map(({ run_id }) => run_id)).size).toBe(1)
  expect(answers.filter(({ created }) => created)).toHaveLength(1)
  expect(answers.filter(({ reason }) => reason === 'repeated')).toHaveLength(99)
})

test('E2 the same idempotency key with another input is refused, naming the run that has it', async () => {
  const settled = await hundredTimes((connection, n) =>
    startRun(connection, 'plain', { order: n < 50 ? 0 : 1 }, { idempotencyKey: 'post-2' }).then(
      (answer) => answer.run_id,
      (error: { code: string }) => error.code,
    ),
  )
  expect(settled.filter((answer) => answer === 'MR009')).toHaveLength(50)
  expect(new Set(settled.filter((answer) => answer !== 'MR009')).size).toBe(1)
})

test('E2 a start that its run key refused has used up no idempotency key, alone or beside its repetition', async () => {
  const live = await startRun(database, 'keyed', { state: 'ID' })
  const starts = [newId(), newId()].map((id) => ({
    id,
    slug: 'keyed',
    input: { state: 'ID' },
    idempotencyKey: 'k',
  }))
  const answers = await startRuns(database, starts)
  expect(answers.map(({ reason, live_run_id }) => [reason, live_run_id])).toEqual([
    ['live', live.run_id],
    ['live', live.run_id],
  ])
  await cancelRun(database, live.run_id)
  expect(await startRuns(database, starts.slice(0, 1))).toEqual([])
  expect(await startRuns(database, starts)).toMatchObject([
    { reason: 'repeated', live_run_id: starts[0]?.id },
  ])
})

test('JQ-7 an idempotency key beyond its lifetime starts a new run, and pruning removes it', async () => {
  const start = () =>
    startRun(database, 'plain', { order: 7 }, { idempotencyKey: 'old', idempotencySeconds: 60 })
  const first = await start()
  await database.clock.advance('59 seconds')
  expect(await start()).toMatchObject({ reason: 'repeated', run_id: first.run_id })
  await database.clock.advance('2 seconds')
  expect(await start()).toMatchObject({ created: true })
  await database.clock.advance('61 seconds')
  await database.query('select millrace.prune_history()')
  expect(await database.query("select from millrace.idempotency where key = 'old'")).toEqual([])
  await database.clock.reset()
})

test('E3 a step that is tried again never conflicts with its own run key', async () => {
  await registerPipeline(database, 'retried', chain('first', 'second'), [['n']])
  const worker = await registerWorker(database)
  const { run_id } = await startRun(database, 'retried', { n: 1 })
  const [task] = (await claim(database, worker, 1000)).filter((claimed) => claimed.run_id === run_id)
  if (task === undefined) throw new Error('the run was not claimed')
  await database.query('select millrace.fail_tasks($1, $2, $3, $4, $5, $6, $7, $8)', [
    worker.id,
    worker.lockKey,
    [task.task_id],
    [task.step_id],
    [task.attempt],
    ['{"code": "Error", "message": "once", "retryable": true}'],
    [0],
    [0],
  ])
  await workOff(database, worker)
  expect((await runOf(database, run_id)).state).toBe('completed')
  expect(await outcomesOf(database, run_id)).toEqual(['first failed', 'first completed', 'second completed'])
})

test('a run id more than a day off the clock is refused, before and after', async () => {
  const day = 86_400_000
  for (const off of [-day - 60_000, day + 60_000]) {
    await expect(startRun(database, 'plain', null, { id: newId(Date.now() + off) })).rejects.toMatchObject({
      code: 'MR005',
    })
  }
  for (const off of [-day + 60_000, day - 60_000]) {
    expect(await startRun(database, 'plain', null, { id: newId(Date.now() + off) })).toMatchObject({
      created: true,
    })
  }
})

test.each([
  'infinity',
  '-infinity',
  '294276-12-31',
  '1000000-01-01',
  '4713-01-01 BC',
  '1969-12-31',
  '9999-01-01',
])('D11 a start at %s is refused', async (availableAt) => {
  await expect(startRun(database, 'plain', null, { availableAt })).rejects.toMatchObject({
    code: expect.stringMatching(/^(MR012|22008)$/),
  })
  await expect(
    database.query('select millrace.start_run($1, available_at => to_timestamp($2::float8))', [
      'plain',
      1e18,
    ]),
  ).rejects.toMatchObject({ code: '22008' })
})

test('D11 a start within ten years is taken, and one of yesterday begins at once', async () => {
  const later = await startRun(database, 'plain', null, {
    availableAt: new Date(Date.now() + 9 * 365 * 86_400_000).toISOString(),
  })
  const earlier = await startRun(database, 'plain', null, {
    availableAt: new Date(Date.now() - 86_400_000).toISOString(),
  })
  const waiting = await database.query('select reason from millrace.waiting_task where run_id = $1', [
    later.run_id,
  ])
  expect(waiting).toEqual([{ reason: 'delayed' }])
  expect(await database.query('select from millrace.task where run_id = $1', [earlier.run_id])).toHaveLength(
    1,
  )
})

test('a batch is started whole or not at all', async () => {
  const before = await liveRuns('plain')
  await expect(
    startRuns(database, [
      { id: newId(), slug: 'plain' },
      { id: newId(), slug: 'keyed', input: {} },
    ]),
  ).rejects.toMatchObject({ code: 'MR003' })
  await expect(
    startRuns(database, [
      { id: newId(), slug: 'plain' },
      { id: newId(), slug: 'unknown' },
    ]),
  ).rejects.toMatchObject({ code: 'MR002', message: "There is no pipeline 'unknown'." })
  expect(await liveRuns('plain')).toBe(before)
})

test('PP-S8 more than ten thousand starts in one call are refused', async () => {
  const starts = Array.from({ length: 10_001 }, () => ({ id: newId(), slug: 'plain' }))
  await expect(startRuns(database, starts)).rejects.toMatchObject({ code: 'MR004' })
})

test('a paused pipeline refuses starts and says so; others of the same batch begin', async () => {
  await registerPipeline(database, 'resting', chain('only'))
  await database.query("select millrace.pause_pipeline('resting', 'maintenance')")
  expect(await startRun(database, 'resting')).toEqual({ created: false, reason: 'paused', run_id: null })
  const id = newId()
  const answers = await startRuns(database, [
    { id: newId(), slug: 'resting' },
    { id, slug: 'plain' },
  ])
  expect(answers).toMatchObject([{ reason: 'paused' }])
  expect((await runOf(database, id)).state).toBe('pending')
  await database.query("select millrace.resume_pipeline('resting')")
  expect(await startRun(database, 'resting')).toMatchObject({ created: true })
})

test('a start is handed over leased only while nothing claimable stands ahead and all of it is served', async () => {
  const { steps } = await registerPipeline(database, 'handed', chain('only'))
  const handlers = steps.map(({ handler }) => handler)
  const worker = await registerWorker(database, { handlers })
  const start = (room: number) => startRuns(database, [{ id: newId(), slug: 'handed' }], worker, room)
  const [leased] = await start(1)
  expect(leased).toMatchObject({ reason: 'leased', step_id: steps[0]?.id })
  expect((await runOf(database, leased?.run_id ?? '')).state).toBe('running')
  expect(await start(0)).toEqual([])
  expect(await start(5)).toEqual([])
  await workOff(database, worker)
  const stranger = await registerWorker(database, { handlers: [] })
  expect(await startRuns(database, [{ id: newId(), slug: 'handed' }], stranger, 5)).toEqual([])
  await workOff(database, worker)
  await database.query("update millrace.worker set ordered_state = 'paused' where id = $1", [worker.id])
  expect(await start(5)).toEqual([])
})

test('a handed over task is completed under its first attempt', async () => {
  const { steps } = await registerPipeline(database, 'handed-over', chain('only'))
  const worker = await registerWorker(database, { handlers: steps.map(({ handler }) => handler) })
  const [leased] = await startRuns(database, [{ id: newId(), slug: 'handed-over' }], worker, 1)
  const task = {
    task_id: leased?.task_id ?? '',
    step_id: leased?.step_id ?? 0,
    attempt: 1,
    item: -1,
    item_value: null,
  }
  const run_id = leased?.run_id ?? ''
  expect(await complete(database, worker, [{ task: { ...task, run_id }, output: 1 }])).toEqual([])
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 1 })
})
