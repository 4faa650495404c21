// why(): one sentence, and a word, for whatever a run, a step or an item may wait for.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workerFor } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  fail,
  newId,
  pauseRun,
  registerPipeline,
  registerWorker,
  resumeRun,
  startRun,
  startStep,
  type Worker,
} from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())
beforeEach(async () => {
  await database.clock.freeze('2026-11-21T12:00:00Z')
  await database.query(
    "update millrace.worker set state = 'gone', gone_at = millrace.now() where state <> 'gone'",
  )
})

interface Why {
  reason: string
  sentence: string
  told_step: string | null
  told_item: number | null
  due_at: Date | null
}

async function why(run: string, step: string | null = null, item: number | null = null): Promise<Why> {
  const [row] = await database.query<Why & Record<string, unknown>>(
    'select * from millrace.why($1, $2, $3)',
    [run, step, item],
  )
  if (row === undefined) throw new Error('nothing was told')
  return row
}

const words = async (...asked: Parameters<typeof why>): Promise<string> => (await why(...asked)).sentence

const workerOf = (slug: string, leaseSeconds = 3600): Promise<Worker> =>
  workerFor(database, slug, { leaseSeconds })

const noon = '2026-11-21 at 12:00:00.000 UTC'

test('E12 a step that no live worker serves needs its version: that is said, and no attempt is used', async () => {
  const old = await registerPipeline(database, 'deployed', chain('a'))
  const worker = await registerWorker(database, { handlers: old.steps.map(({ handler }) => handler) })
  await registerPipeline(database, 'deployed', [{ name: 'a', after: [], queue: 'mail' }])
  const { run_id } = await startRun(database, 'deployed')
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await why(run_id)).toEqual({
    reason: 'needs_version',
    sentence: "'a' needs version 2 of 'deployed' (queue mail): no live worker serves it.",
    told_step: 'a',
    told_item: null,
    due_at: null,
  })
  expect(await database.query('select * from millrace.needs_version($1)', [[run_id]])).toEqual([
    { run_id, pipeline: 'deployed', version: 2, queue: 'mail', step: 'a' },
  ])
  expect(await attemptsOf(database, run_id)).toEqual([])
  expect(await database.query('select attempt from millrace.task where run_id = $1', [run_id])).toEqual([
    { attempt: 0 },
  ])
})

test('E12 a chain whose next step no live worker serves waits for its version, behind an attempt that is done', async () => {
  await registerPipeline(database, 'handed', [
    { name: 'a', after: [] },
    { name: 'b', after: ['a'], queue: 'slow' },
  ])
  const [only] = await database.query<{ id: number }>(
    "select id from millrace.handler where slug = 'handed' and queue = 'default'",
  )
  const worker = await registerWorker(database, { handlers: [only?.id ?? 0] })
  const { run_id } = await startRun(database, 'handed')
  await complete(database, worker, [{ task: await claimOne(database, worker) }], { room: 10 })
  expect(await words(run_id)).toBe("'b' needs version 1 of 'handed' (queue slow): no live worker serves it.")
  expect(await attemptsOf(database, run_id, 'b')).toEqual([])
})

test('a version that only paused workers serve is said to be theirs', async () => {
  await registerPipeline(database, 'resting', chain('a'))
  const worker = await workerOf('resting')
  await database.query('select millrace.pause_worker($1)', [worker.id])
  const { run_id } = await startRun(database, 'resting')
  expect(await words(run_id)).toBe(
    "'a' needs version 1 of 'resting' (queue default): the workers that serve it are paused or draining.",
  )
})

test('a worker whose lease is over serves nothing, also of what a retry is due for', async () => {
  await registerPipeline(database, 'left', chain('a'))
  const worker = await workerOf('left', 10)
  const { run_id } = await startRun(database, 'left')
  await fail(database, worker, [{ task: await claimOne(database, worker), delayMs: 60_000 }])
  expect((await why(run_id)).reason).toBe('retry')
  await database.clock.advance('2 minutes')
  expect((await why(run_id)).reason).toBe('needs_version')
})

test('a ready task is the next, or behind others, whatever pipelines they are of', async () => {
  await registerPipeline(database, 'queue-one', chain('a'))
  await registerPipeline(database, 'queue-two', chain('a'))
  const handlers = await database.query<{ id: number }>(
    "select id from millrace.handler where slug like 'queue-%'",
  )
  await registerWorker(database, { handlers: handlers.map(({ id }) => id) })
  const first = await startRun(database, 'queue-one')
  await startRun(database, 'queue-two')
  const third = await startRun(database, 'queue-one')
  expect(await words(first.run_id)).toBe(
    `'a' is ready since ${noon}, and is the next that a worker with a free slot takes.`,
  )
  expect(await words(third.run_id)).toBe(`'a' is ready since ${noon}, behind 2 others.`)
  await startRun(database, 'queue-two', null, { priority: 1 })
  expect(await words(first.run_id)).toBe(`'a' is ready since ${noon}, behind one other.`)
  await database.query("select millrace.pause_pipeline('queue-two', 'a look')")
  expect(await words(third.run_id)).toBe(`'a' is ready since ${noon}, behind one other.`)
})

test('a task in hand says on which worker, and an ended run says that it waits for nothing', async () => {
  await registerPipeline(database, 'worked', chain('a'))
  const worker = await workerOf('worked')
  const { run_id } = await startRun(database, 'worked')
  const task = await claimOne(database, worker)
  expect(await words(run_id)).toBe(`'a' runs since ${noon}, attempt 1, on worker 'test' of host 'here'.`)
  await cancelRun(database, run_id)
  expect(await why(run_id)).toMatchObject({
    reason: 'aborting',
    sentence: `'a' was told to stop, and runs since ${noon}, on worker 'test' of host 'here'.`,
  })
  await fail(database, worker, [{ task }])
  expect(await why(run_id)).toMatchObject({
    reason: 'ended',
    sentence: `The run was cancelled on ${noon}: it waits for nothing.`,
  })
})

test('a retry says when, after how many failures, and the last error in one line', async () => {
  await registerPipeline(database, 'retried', chain('a'))
  const worker = await workerOf('retried')
  const { run_id } = await startRun(database, 'retried')
  const error = { code: 'Busy', message: 'It is\nbusy.', retryable: true }
  await fail(database, worker, [{ task: await claimOne(database, worker), error, delayMs: 60_000 }])
  expect(await why(run_id)).toEqual({
    reason: 'retry',
    sentence:
      "'a' is tried again on 2026-11-21 at 12:01:00.000 UTC, after failure 1 of at most 3: It is busy.",
    told_step: 'a',
    told_item: null,
    due_at: new Date('2026-11-21T12:01:00Z'),
  })
})

test('a delayed start, a paused run and a paused pipeline say until when, or how to go on', async () => {
  await registerPipeline(database, 'held', chain('a'))
  const later = await startRun(database, 'held', null, { availableAt: '2026-11-21T13:00:00Z' })
  expect(await words(later.run_id)).toBe("'a' begins on 2026-11-21 at 13:00:00.000 UTC, as its start asked.")
  const { run_id } = await startRun(database, 'held')
  await database.query("select millrace.pause_pipeline('held', 'the disk is full')")
  expect(await why(run_id)).toMatchObject({
    reason: 'pipeline_paused',
    sentence: `The pipeline 'held' was paused by postgres on ${noon}: the disk is full; resume it with: npx millrace pipeline resume held`,
  })
  await pauseRun(database, run_id)
  expect(await why(run_id)).toMatchObject({
    reason: 'run_paused',
    sentence: `The run is paused since ${noon}; resume it with: npx millrace run resume ${run_id}`,
  })
  await resumeRun(database, run_id)
  await database.query("select millrace.resume_pipeline('held')")
  expect((await why(run_id)).reason).toBe('needs_version')
})

test('a step names the steps that it waits for, how it ended, or that it never began', async () => {
  await registerPipeline(database, 'joined', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: ['a', 'b'] },
  ])
  const worker = await workerOf('joined')
  const { run_id } = await startRun(database, 'joined')
  expect(await words(run_id, 'c')).toBe("'c' waits for 'a', 'b'.")
  await complete(database, worker, [{ task: await claimOne(database, worker), skipReason: 'nobody asked' }])
  expect(await words(run_id, 'a')).toBe(`'a' was skipped on ${noon}: nobody asked.`)
  expect(await words(run_id, 'c')).toBe("'c' waits for 'b'.")
  await cancelRun(database, run_id)
  expect(await why(run_id, 'c')).toMatchObject({
    reason: 'final',
    sentence: `'c' never began: the run was cancelled on ${noon}.`,
  })
})

test('an item of a map is told by its place, and what else is open is counted', async () => {
  await registerPipeline(database, 'mapped', [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
  ])
  const worker = await workerOf('mapped')
  const { run_id } = await startRun(database, 'mapped')
  const [first] = await complete(
    database,
    worker,
    [{ task: await claimOne(database, worker), output: ['x', 'y', 'z'] }],
    { room: 0 },
  )
  expect(first?.item).toBe(0)
  expect(await why(run_id)).toMatchObject({
    reason: 'running',
    sentence: `Item 0 of 'each' runs since ${noon}, attempt 1, on worker 'test' of host 'here'. 2 more of its tasks are open.`,
    told_item: 0,
  })
  expect(await words(run_id, 'each', 2)).toBe(`Item 2 of 'each' is ready since ${noon}, behind one other.`)
})

test('an item that the concurrency of its map holds back waits for its turn', async () => {
  await registerPipeline(database, 'narrow', [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'], ...{ concurrency: 2 } },
  ])
  const worker = await workerOf('narrow')
  const { run_id } = await startRun(database, 'narrow')
  await complete(database, worker, [{ task: await claimOne(database, worker), output: [1, 2, 3] }])
  expect(await words(run_id, 'each', 2)).toBe(
    "Item 2 of 'each' waits for its turn: 2 items of its map are under way at once.",
  )
})

test('a step for an executor outside needs no version, and one that it holds says who holds it', async () => {
  await registerPipeline(database, 'outside', chain('a'))
  const [run] = await database.query<{ run_id: string }>(
    "select run_id from millrace.ensure_run('outside', '1')",
  )
  const id = run?.run_id ?? ''
  expect(await why(id)).toMatchObject({
    reason: 'outside',
    sentence: `'a' is ready since ${noon}, for the executor outside that reports it.`,
  })
  expect(await database.query('select * from millrace.needs_version($1)', [[id]])).toEqual([])
  await startStep(database, id, 'a')
  expect(await words(id)).toBe(`'a' runs since ${noon}, attempt 1, held by the executor outside, 'outside'.`)
})

/** Parks the one task of a new run, which waits for what is given. */
async function parked(slug: string, waits: object[]): Promise<string> {
  const worker = await workerOf(slug)
  const { run_id } = await startRun(database, slug)
  const task = await claimOne(database, worker)
  await database.query('select * from millrace.park_tasks($1, $2, $3, $4, $5, $6)', [
    worker.id,
    worker.lockKey,
    [task.task_id],
    [task.step_id],
    [task.attempt],
    [JSON.stringify(waits.map((wait, place) => ({ name: `w${place}`, place, ...wait })))],
  ])
  return run_id
}

test('a parked step says what it waits for, and until when', async () => {
  await registerPipeline(database, 'parked', chain('a'))
  await registerPipeline(database, 'child', chain('c'))
  const hour = { ms: 3_600_000 }
  const one = '2026-11-21 at 13:00:00.000 UTC'
  expect(await why(await parked('parked', [{ kind: 'sleep', ...hour }]))).toMatchObject({
    reason: 'sleep',
    sentence: `'a' sleeps until ${one}.`,
    due_at: new Date('2026-11-21T13:00:00Z'),
  })
  expect(await why(await parked('parked', [{ kind: 'signal', signals: ['paid'] }]))).toMatchObject({
    reason: 'signal',
    sentence: "'a' waits for signal 'paid'.",
    due_at: null,
  })
  const several = [
    { kind: 'signal', signals: ['paid', 'refused'], ...hour },
    { kind: 'sleep', ...hour },
  ]
  expect(await words(await parked('parked', several))).toBe(
    `'a' waits for one of the signals 'paid', 'refused', until ${one} at the latest, or for another thing.`,
  )
  const approval = newId(Date.parse('2026-11-21T12:00:00Z'))
  expect(
    await why(
      await parked('parked', [
        {
          kind: 'approval',
          approval: { id: approval, title: 'Pay 300?', roles: ['finance'], people: ['ada'] },
        },
      ]),
    ),
  ).toMatchObject({
    reason: 'approval',
    sentence: `'a' waits for approval ${approval}, 'Pay 300?', by finance, ada.`,
  })
  const child = newId(Date.parse('2026-11-21T12:00:00Z'))
  const run = await parked('parked', [{ kind: 'call', start: { id: child, slug: 'child', input: null } }])
  expect(await why(run)).toMatchObject({
    reason: 'child',
    sentence: `'a' waits for run ${child} of 'child', which is pending.`,
  })
  expect((await why(child)).reason).toBe('needs_version')
})

test('E12 a parked step whose time has come, and whose version nobody serves any more, needs its version', async () => {
  await registerPipeline(database, 'overslept', chain('a'))
  const run = await parked('overslept', [{ kind: 'sleep', ms: 1_000 }])
  await database.query(
    "update millrace.worker set state = 'gone', gone_at = millrace.now() where state <> 'gone'",
  )
  await database.clock.advance('1 minute')
  expect((await why(run)).reason).toBe('needs_version')
})

test('an unknown run and an unknown step are errors that name them', async () => {
  await registerPipeline(database, 'asked', chain('a', 'b'))
  const { run_id } = await startRun(database, 'asked')
  await expect(why('01890000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'MR006' })
  await expect(why(run_id, 'z')).rejects.toMatchObject({ code: 'MR007', hint: 'Its steps: a, b' })
})
