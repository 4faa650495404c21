// Executors outside: they take a step under a deadline, and whatever becomes of them, the run comes to an end.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  attemptsOf,
  type Connection,
  cancelRun,
  chain,
  claim,
  outcomesOf,
  pauseRun,
  registerPipeline,
  registerWorker,
  resumeRun,
  runOf,
  startRun,
  startStep,
  sweep,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await registerPipeline(database, 'reported', chain('fetch', 'store'))
})
beforeEach(async () => {
  await database.clock.reset()
  await database.clock.advance('1 hour')
})
afterAll(async () => {
  await sweep(database)
})

const completeStep = (run: string, step: string, attempt: number, output: unknown = null, item = -1) =>
  database.query<{ done: boolean }>('select millrace.complete_step($1, $2, $3, $4, $5) as done', [
    run,
    step,
    attempt,
    JSON.stringify(output),
    item,
  ])

const verbs: [string, string][] = [
  ['start_step', 'select millrace.start_step($1, $2)'],
  ['heartbeat_step', 'select millrace.heartbeat_step($1, $2, 1)'],
  ['log_step', "select millrace.log_step($1, $2, 1, 'a line')"],
  ['complete_step', 'select millrace.complete_step($1, $2, 1)'],
  ['fail_step', "select millrace.fail_step($1, $2, 1, '{}')"],
  ['release_step', 'select millrace.release_step($1, $2, 1)'],
]

test.each(verbs)(
  'PP-C10 %s of an unknown step is an error that names it and those there are',
  async (_, call) => {
    const { run_id } = await startRun(database, 'reported')
    await expect(database.query(call, [run_id, 'stroe'])).rejects.toMatchObject({
      code: 'MR007',
      message: "Pipeline 'reported' (version 1) has no step 'stroe'.",
      hint: 'Its steps: fetch, store',
    })
    await expect(database.query(call, [run_id, '$end'])).rejects.toMatchObject({ code: 'MR007' })
    const nobody = '01890000-0000-7000-8000-000000000000'
    await expect(database.query(call, [nobody, 'store'])).rejects.toMatchObject({
      code: 'MR006',
      message: `There is no run ${nobody}.`,
    })
    expect((await runOf(database, run_id)).state).toBe('pending')
    await cancelRun(database, run_id)
  },
)

test.each(verbs.slice(1))('A3 %s of an attempt that was reclaimed is refused', async (_, call) => {
  const { run_id } = await startRun(database, 'reported')
  await startStep(database, run_id, 'fetch', { leaseSeconds: 5 })
  await database.clock.advance('6 seconds')
  await sweep(database)
  await expect(database.query(call, [run_id, 'fetch'])).rejects.toMatchObject({ code: 'MR008' })
  expect((await startStep(database, run_id, 'fetch')).attempt).toBe(2)
  await expect(database.query(call, [run_id, 'fetch'])).rejects.toMatchObject({ code: 'MR008' })
  await cancelRun(database, run_id)
  await database.query("select millrace.release_step($1, 'fetch', 2)", [run_id])
})

test('PP-C17 no heartbeat by the deadline: failed as executor gone, and tried again by policy', async () => {
  const { run_id } = await startRun(database, 'reported')
  expect(await startStep(database, run_id, 'fetch', { leaseSeconds: 60 })).toMatchObject({
    started: true,
    attempt: 1,
  })
  await database.clock.advance('50 seconds')
  const beat = () => database.query('select millrace.heartbeat_step($1, $2, 1) as goes_on', [run_id, 'fetch'])
  expect(await beat()).toEqual([{ goes_on: true }])
  await database.clock.advance('59 seconds')
  expect(await sweep(database)).toBe(0)
  await database.clock.advance('2 seconds')
  expect(await sweep(database)).toBe(1)
  expect(await attemptsOf(database, run_id)).toMatchObject([
    {
      step: 'fetch',
      outcome: 'reclaimed',
      error: { code: 'executor_gone', message: "The executor outside, 'outside', is gone." },
      retry_at: expect.any(Date),
    },
  ])
  for (const attempt of [2, 3]) {
    expect(await startStep(database, run_id, 'fetch', { leaseSeconds: 60 })).toMatchObject({ attempt })
    await database.clock.advance('61 seconds')
    expect(await sweep(database)).toBe(1)
  }
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'failed',
    error: { code: 'executor_gone', step: 'fetch' },
  })
})

test('PP-C17 PP-C8 when all declared steps are final the run ends, with or without complete_run', async () => {
  const { run_id } = await startRun(database, 'reported')
  await startStep(database, run_id, 'fetch')
  expect(await completeStep(run_id, 'fetch', 1, { rows: 3 })).toEqual([{ done: true }])
  const complete_run = () => database.query('select millrace.complete_run($1) as state', [run_id])
  await expect(complete_run()).rejects.toMatchObject({
    code: 'MR011',
    message: `Run ${run_id} can't be completed: 'store' not finished.`,
  })
  await startStep(database, run_id, 'store')
  await completeStep(run_id, 'store', 1, 'end')
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'end' })
  expect(await complete_run()).toEqual([{ state: 'completed' }])
})

test('PP-C8 complete_run names a map of which an item is open, and fails the run with a reason', async () => {
  await registerPipeline(database, 'reported-map', [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
  ])
  const { run_id } = await startRun(database, 'reported-map')
  await startStep(database, run_id, 'list')
  await completeStep(run_id, 'list', 1, ['x', 'y'])
  expect(await startStep(database, run_id, 'each', { item: 2 })).toMatchObject({ reason: 'not ready' })
  expect(await startStep(database, run_id, 'each', { item: 1 })).toMatchObject({
    started: true,
    item_value: 'y',
  })
  await completeStep(run_id, 'each', 1, 'Y', 1)
  await expect(database.query('select millrace.complete_run($1)', [run_id])).rejects.toMatchObject({
    message: `Run ${run_id} can't be completed: 'each' not finished.`,
  })
  const [ended] = await database.query('select millrace.complete_run($1, $2) as state', [
    run_id,
    JSON.stringify('gave up'),
  ])
  expect(ended).toEqual({ state: 'failed' })
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'failed',
    error: { code: 'unknown', message: 'gave up' },
  })
})

test('PP-C17 a run of which nothing is heard until its deadline fails', async () => {
  await registerPipeline(database, 'ensured', chain('only'), [['n']])
  const ensure = (n: number) =>
    database.query<{ created: boolean; reason: string | null; run_id: string }>(
      "select * from millrace.ensure_run('ensured', $1, silence_seconds => 60)",
      [JSON.stringify({ n })],
    )
  const [silent] = await ensure(1)
  const [heard] = await ensure(2)
  expect(await ensure(1)).toEqual([{ created: false, reason: 'live', run_id: silent?.run_id }])
  await database.clock.advance('40 seconds')
  await startStep(database, heard?.run_id ?? '', 'only', { leaseSeconds: 3600 })
  await database.clock.advance('30 seconds')
  await sweep(database)
  expect(await runOf(database, silent?.run_id ?? '')).toMatchObject({
    state: 'failed',
    error: { code: 'run_silent' },
  })
  expect((await runOf(database, heard?.run_id ?? '')).state).toBe('running')
  await database.query("select millrace.log_step($1, 'only', 1, 'still here')", [heard?.run_id])
  await database.clock.advance('50 seconds')
  await sweep(database)
  expect((await runOf(database, heard?.run_id ?? '')).state).toBe('running')
  expect(await completeStep(heard?.run_id ?? '', 'only', 1)).toEqual([{ done: true }])
  expect(await ensure(1)).toMatchObject([{ created: true }])
  await cancelRun(database, (await ensure(1))[0]?.run_id ?? '')
})

test('PP-C7 a completion whose answer was lost may be sent again, also while the first is under way', async () => {
  const { run_id } = await startRun(database, 'reported')
  await startStep(database, run_id, 'fetch')
  const send = (connection: Connection) =>
    connection.query('select millrace.complete_step($1, $2, 1) as done', [run_id, 'fetch'])
  await one.query('begin')
  expect(await send(one)).toEqual([{ done: true }])
  const again = send(other)
  await untilBlocked(database)
  await one.query('commit')
  expect(await again).toEqual([{ done: false }])
  expect(await send(one)).toEqual([{ done: false }])
  await startStep(database, run_id, 'store')
  const fail = (connection: Connection) =>
    connection.query<{ retry_at: Date }>(
      'select millrace.fail_step($1, $2, 1, $3, random => 0.5) as retry_at',
      [run_id, 'store', JSON.stringify({ code: 'E', message: 'm' })],
    )
  await one.query('begin')
  const [first] = await fail(one)
  const second = fail(other)
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toEqual([first])
  expect(await outcomesOf(database, run_id)).toEqual(['fetch completed', 'store failed'])
  expect(await startStep(database, run_id, 'store')).toMatchObject({ started: false, reason: 'retry' })
  await database.clock.advance('31 seconds')
  expect(await startStep(database, run_id, 'store')).toMatchObject({ started: true, attempt: 2 })
  await completeStep(run_id, 'store', 2)
})

test('two starts of one step at once are one hold, and a worker claims nothing that is held', async () => {
  const { run_id } = await startRun(database, 'reported')
  const worker = await registerWorker(database, { leaseSeconds: 100_000 })
  await one.query('begin')
  expect(await startStep(one, run_id, 'fetch')).toMatchObject({ started: true })
  const second = startStep(other, run_id, 'fetch')
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toMatchObject({ started: false, reason: 'held' })
  expect((await claim(database, worker, 100)).map((task) => task.run_id)).not.toContain(run_id)
  await completeStep(run_id, 'fetch', 1)
  expect((await claim(database, worker, 100)).map((task) => task.run_id)).toContain(run_id)
  expect(await startStep(database, run_id, 'store')).toMatchObject({ started: false, reason: 'held' })
  expect(await startStep(database, run_id, 'fetch')).toMatchObject({ started: false, reason: 'final' })
})

test('what cannot be started now is answered with the reason', async () => {
  const { run_id } = await startRun(database, 'reported')
  expect(await startStep(database, run_id, 'store')).toMatchObject({ started: false, reason: 'not ready' })
  await pauseRun(database, run_id)
  expect(await startStep(database, run_id, 'fetch')).toMatchObject({ started: false, reason: 'paused' })
  await resumeRun(database, run_id)
  await startStep(database, run_id, 'fetch')
  await cancelRun(database, run_id)
  expect(await database.query("select millrace.heartbeat_step($1, 'fetch', 1) as goes_on", [run_id])).toEqual(
    [{ goes_on: false }],
  )
  await database.query("select millrace.release_step($1, 'fetch', 1)", [run_id])
  expect(await startStep(database, run_id, 'fetch')).toMatchObject({ started: false, reason: 'run ended' })
})

test('PP-C7 the holder that asks again for its step is told the same attempt, also while the first call is under way or its run is paused', async () => {
  const { run_id } = await startRun(database, 'reported')
  const holder = randomUUID()
  await database.clock.freeze()
  await one.query('begin')
  const first = await startStep(one, run_id, 'fetch', { holder })
  const again = startStep(other, run_id, 'fetch', { holder })
  await untilBlocked(database)
  await one.query('commit')
  expect(first).toMatchObject({ started: true, attempt: 1 })
  expect(await again).toEqual(first)
  await pauseRun(database, run_id)
  expect(await startStep(database, run_id, 'fetch', { holder })).toEqual(first)
  expect(await startStep(database, run_id, 'fetch', { holder: randomUUID() })).toMatchObject({
    started: false,
    reason: 'held',
  })
  await completeStep(run_id, 'fetch', 1)
  await cancelRun(database, run_id)
  expect(await startStep(database, run_id, 'fetch', { holder })).toMatchObject({ reason: 'final' })
})

test("a holder's id is for one hold: for another step, or another attempt, it is refused with a code", async () => {
  const holder = randomUUID()
  const { run_id } = await startRun(database, 'reported')
  await startStep(database, run_id, 'fetch', { holder, leaseSeconds: 60 })
  const taken = { code: 'MR015', message: `Holder ${holder} has had a hold already.` }
  const elsewhere = await startRun(database, 'reported')
  await expect(startStep(database, elsewhere.run_id, 'fetch', { holder })).rejects.toMatchObject(taken)
  await database.clock.advance('61 seconds')
  expect(await sweep(database)).toBe(1)
  await expect(startStep(database, run_id, 'fetch', { holder })).rejects.toMatchObject(taken)
  expect(await startStep(database, run_id, 'fetch', { holder: randomUUID() })).toMatchObject({ attempt: 2 })
  await completeStep(run_id, 'fetch', 2)
  await expect(startStep(database, run_id, 'store', { holder })).rejects.toMatchObject(taken)
  await cancelRun(database, run_id)
  await cancelRun(database, elsewhere.run_id)
})

test('two steps that are asked for under one holder at once: one is held, the other is refused with a code', async () => {
  const holder = randomUUID()
  const [first, second] = [await startRun(database, 'reported'), await startRun(database, 'reported')]
  await one.query('begin')
  expect(await startStep(one, first.run_id, 'fetch', { holder })).toMatchObject({ started: true })
  const refused = startStep(other, second.run_id, 'fetch', { holder }).catch(
    (error: { code: string }) => error.code,
  )
  await untilBlocked(database)
  await one.query('commit')
  expect(await refused).toBe('MR015')
  expect(await startStep(database, second.run_id, 'fetch')).toMatchObject({ started: true, attempt: 1 })
  await completeStep(first.run_id, 'fetch', 1)
  await completeStep(second.run_id, 'fetch', 1)
  await cancelRun(database, first.run_id)
  await cancelRun(database, second.run_id)
})
