// Failures: retried by policy, or a dead letter; recording one can never fail itself.
import { beforeAll, expect, test } from 'vitest'
import { sqlState } from '../../../src/db/database-error.ts'
import { retryTransaction } from '../../../src/db/transaction.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  type ClaimedTask,
  type Connection,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  fail,
  newId,
  outcomesOf,
  pauseRun,
  promote,
  release,
  resumeRun,
  runOf,
  startRun,
  startRuns,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await database.clock.freeze()
})

const permanent = { code: 'BadAddress', message: 'There is no such place.', retryable: false }

test('JQ-5 JQ-6 each retry writes attempt, delay and reason; after three attempts it is a dead letter', async () => {
  const worker = await workerOf(database, 'retried', chain('only'))
  const { run_id } = await startRun(database, 'retried')
  const delays: number[] = []
  for (let attempt = 1; attempt <= 3; attempt++) {
    const task = await claimOne(database, worker)
    expect(task).toMatchObject({ attempt, failures: attempt - 1 })
    const at = await database.clock.now()
    const [answer] = await fail(database, worker, [
      { task, error: { code: 'E', message: `try ${attempt}`, retryable: true } },
    ])
    if (attempt === 3) {
      expect(answer).toBeUndefined()
      break
    }
    delays.push((answer?.retry_at?.getTime() ?? 0) - at.getTime())
    await promote(database)
    expect(await claim(database, worker, 1)).toEqual([])
    await database.clock.advance(delays.at(-1) ?? 0)
    expect(await promote(database)).toBe(1)
  }
  expect(delays).toEqual([30_000, 60_000])
  const attempts = await attemptsOf(database, run_id)
  expect(attempts).toMatchObject([
    { attempt: 1, outcome: 'failed', error: { message: 'try 1' } },
    { attempt: 2, outcome: 'failed', error: { message: 'try 2' } },
    { attempt: 3, outcome: 'failed', error: { message: 'try 3' }, retry_at: null },
  ])
  expect(
    attempts.slice(0, 2).map(({ retry_at, finished_at }) => Number(retry_at) - Number(finished_at)),
  ).toEqual(delays)
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'failed',
    error: { message: 'try 3', step: 'only' },
  })
  expect(
    await database.query('select step, item from millrace.dead_letter where run_id = $1', [run_id]),
  ).toEqual([{ step: 'only', item: -1 }])
})

test('JQ-6 a fourth attempt waits two minutes in the mean', async () => {
  const worker = await workerOf(database, 'four', [{ name: 'only', max_attempts: 4 }])
  await startRun(database, 'four')
  const delays: number[] = []
  for (let attempt = 1; attempt <= 3; attempt++) {
    const at = await database.clock.now()
    const [answer] = await fail(database, worker, [{ task: await claimOne(database, worker), random: 0.5 }])
    delays.push((answer?.retry_at?.getTime() ?? 0) - at.getTime())
    await database.clock.advance('1 hour')
    await promote(database)
  }
  expect(delays).toEqual([30_000, 60_000, 120_000])
})

test('JQ-20 a permanent error is not tried again, and its class stands in the account', async () => {
  const worker = await workerOf(database, 'permanent', chain('only', 'never'))
  const { run_id } = await startRun(database, 'permanent')
  const task = await claimOne(database, worker)
  expect(await fail(database, worker, [{ task, error: permanent }])).toEqual([])
  expect(await attemptsOf(database, run_id)).toMatchObject([
    { outcome: 'failed', error: permanent, retry_at: null },
  ])
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'failed',
    error: { ...permanent, step: 'only' },
  })
})

test('E1 from the 44th failure to the thousandth, recording one never raises', async () => {
  const worker = await workerOf(database, 'many', [
    {
      name: 'only',
      max_attempts: 1000,
      backoff: { initial_ms: 2_073_600_000, factor: 100, max_ms: 2_073_600_000 },
    },
  ])
  await startRun(database, 'many')
  for (const failures of [43, 44, 63, 64, 500, 998]) {
    await database.query(`update millrace.task set failures = $1, attempt = $1 where handler = $2`, [
      failures,
      worker.handlers[0],
    ])
    await database.query(
      'delete from millrace.attempt where run_id in (select run_id from millrace.task where handler = $1)',
      [worker.handlers[0]],
    )
    const [answer] = await fail(database, worker, [{ task: await claimOne(database, worker), random: 1 }])
    expect(answer?.kind).toBe('retry')
    await database.clock.advance('60 days')
    await promote(database)
  }
  await database.query('delete from millrace.task where handler = $1', [worker.handlers[0]])
  await database.query("update millrace.run set state = 'cancelled', finished_at = now() where slug = 'many'")
  await database.query(
    "delete from millrace.attempt where run_id in (select id from millrace.run where slug = 'many')",
  )
})

test.each([
  ['an endless delay of its own', { delayMs: Number.POSITIVE_INFINITY }],
  ['no number as a delay', { delayMs: Number.NaN }],
  ['a negative delay', { delayMs: -1e300 }],
  ['a random out of range', { random: 1e300 }],
  ['no number as random', { random: Number.NaN }],
  ['retryable in other words', { error: { code: 'E', message: 'm', retryable: 'perhaps' } }],
  ['an empty error', { error: {} }],
])('E1 a failure with %s is recorded and tried again', async (_, odd) => {
  const worker = await workerOf(database, 'odd', chain('only'))
  const { run_id } = await startRun(database, 'odd')
  const task = await claimOne(database, worker)
  const [answer] = await fail(database, worker, [{ task, ...odd }])
  expect(answer).toMatchObject({ kind: 'retry' })
  expect(Number.isFinite(answer?.retry_at?.getTime())).toBe(true)
  await cancelRun(database, run_id)
})

test('a delay that the handler asked for replaces the policy once, and a delay of nothing is ready at once', async () => {
  const worker = await workerOf(database, 'own-delay', chain('only'))
  const { run_id } = await startRun(database, 'own-delay')
  const at = await database.clock.now()
  const [answer] = await fail(database, worker, [{ task: await claimOne(database, worker), delayMs: 5000 }])
  expect(answer?.retry_at).toEqual(new Date(at.getTime() + 5000))
  await database.clock.advance(5000)
  await promote(database)
  await fail(database, worker, [{ task: await claimOne(database, worker), delayMs: 0 }])
  expect(await claim(database, worker, 1)).toMatchObject([{ run_id, attempt: 3, failures: 2 }])
  await cancelRun(database, run_id)
})

test('a released attempt is no failure, and is claimed again under the next number', async () => {
  const worker = await workerOf(database, 'released', [{ name: 'only', max_attempts: 1 }])
  const { run_id } = await startRun(database, 'released')
  for (let attempt = 1; attempt <= 5; attempt++) {
    const task = await claimOne(database, worker)
    expect(task).toMatchObject({ attempt, failures: 0 })
    expect(await release(database, worker, [task])).toEqual([])
    expect(await release(database, worker, [task])).toMatchObject([{ kind: 'lost' }])
  }
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect((await runOf(database, run_id)).state).toBe('completed')
})

test('a failure of the last attempt cancels what is ready, aborts what runs, and still records its result', async () => {
  const worker = await workerOf(database, 'siblings', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: [] },
    { name: 'd', after: ['a', 'b', 'c'] },
  ])
  const { run_id } = await startRun(database, 'siblings')
  const [a, b] = (await claim(database, worker, 2)) as [ClaimedTask, ClaimedTask]
  await fail(database, worker, [{ task: a, error: permanent }])
  expect(await claim(database, worker, 5)).toEqual([])
  expect(await complete(database, worker, [{ task: b, output: 1 }])).toEqual([])
  expect(await outcomesOf(database, run_id)).toEqual(['a failed', 'b completed'])
  expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { step: 'a' } })
})

test('two steps of one run that fail for good, in one batch or in two at once, are one dead letter', async () => {
  const worker = await workerOf(database, 'twice-dead', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
  ])
  const together = await startRun(database, 'twice-dead')
  const both = await claim(database, worker, 2)
  await fail(
    database,
    worker,
    both.map((task) => ({ task, error: permanent })),
  )
  const apart = await startRun(database, 'twice-dead')
  const [a, b] = (await claim(database, worker, 2)) as [ClaimedTask, ClaimedTask]
  await one.query('begin')
  await fail(one, worker, [{ task: b, error: permanent }])
  const second = fail(other, worker, [{ task: a, error: permanent }])
  await untilBlocked(database)
  await one.query('commit')
  await second
  for (const { run_id } of [together, apart]) {
    expect(await outcomesOf(database, run_id)).toEqual(['a failed', 'b failed'])
    expect(await database.query('select from millrace.dead_letter where run_id = $1', [run_id])).toHaveLength(
      1,
    )
  }
})

test('a failure that meets a cancel half-way is recorded, and is not tried again', async () => {
  const worker = await workerOf(database, 'cancel-fail', chain('only'))
  const { run_id } = await startRun(database, 'cancel-fail')
  const task = await claimOne(database, worker)
  await one.query('begin')
  await cancelRun(one, run_id)
  const failing = fail(other, worker, [{ task }])
  await untilBlocked(database)
  await one.query('commit')
  expect(await failing).toEqual([])
  expect(await outcomesOf(database, run_id)).toEqual(['only cancelled'])
  expect(await database.query('select from millrace.waiting_task where run_id = $1', [run_id])).toEqual([])
})

test('a cancel that meets a failure half-way finds the retry and removes it', async () => {
  const worker = await workerOf(database, 'fail-cancel', chain('only'))
  const { run_id } = await startRun(database, 'fail-cancel')
  const task = await claimOne(database, worker)
  await one.query('begin')
  await fail(one, worker, [{ task }])
  const cancelling = cancelRun(other, run_id)
  await untilBlocked(database)
  await one.query('commit')
  expect(await cancelling).toBe(true)
  expect(await database.query('select from millrace.waiting_task where run_id = $1', [run_id])).toEqual([])
})

test('a pause that meets a promotion half-way parks the promoted task again', async () => {
  const worker = await workerOf(database, 'promote-pause', chain('only'))
  const availableAt = new Date((await database.clock.now()).getTime() + 1000).toISOString()
  const { run_id } = await startRun(database, 'promote-pause', null, { availableAt })
  await database.clock.advance(2000)
  await one.query('begin')
  expect(await promote(one)).toBe(1)
  const pausing = pauseRun(other, run_id)
  await untilBlocked(database)
  await one.query('commit')
  expect(await pausing).toBe(true)
  expect(await claim(database, worker, 1)).toEqual([])
  expect(
    await database.query('select paused from millrace.waiting_task where run_id = $1', [run_id]),
  ).toEqual([{ paused: true }])
  await cancelRun(database, run_id)
})

test('a step that fails while its run is paused waits for the resume and for its time', async () => {
  const worker = await workerOf(database, 'paused-retry', chain('only'))
  const { run_id } = await startRun(database, 'paused-retry')
  const task = await claimOne(database, worker)
  await pauseRun(database, run_id)
  await fail(database, worker, [{ task, random: 0.5 }])
  await database.clock.advance('1 hour')
  expect(await promote(database)).toBe(0)
  await resumeRun(database, run_id)
  expect(await claim(database, worker, 1)).toMatchObject([{ run_id, attempt: 2, failures: 1 }])
  await cancelRun(database, run_id)
})

test('B10 a deadlock undoes one of two transactions, and trying it again does the rest', async () => {
  const worker = await workerOf(database, 'deadlocked', chain('only'))
  await startRuns(
    database,
    [newId((await database.clock.now()).getTime()), newId((await database.clock.now()).getTime())].map(
      (id) => ({ id, slug: 'deadlocked' }),
    ),
  )
  const [a, b] = (await claim(database, worker, 2)) as [ClaimedTask, ClaimedTask]
  const meet = [meeting(), meeting()]
  const undone: unknown[] = []
  const inOrder = (connection: Connection, first: ClaimedTask, second: ClaimedTask, n: 0 | 1) =>
    retryTransaction(
      async () => {
        await connection.query('begin')
        try {
          await fail(connection, worker, [{ task: first }])
          meet[n]?.resolve()
          await meet[1 - n]?.promise
          await fail(connection, worker, [{ task: second }])
          await connection.query('commit')
        } catch (error) {
          undone.push(sqlState(error))
          await connection.query('rollback')
          throw error
        }
      },
      { wait: () => Promise.resolve() },
    )
  await Promise.all([inOrder(one, a, b, 0), inOrder(other, b, a, 1)])
  expect(undone).toEqual(['40P01'])
  expect(await outcomesOf(database, a.run_id)).toEqual(['only failed'])
  expect(await outcomesOf(database, b.run_id)).toEqual(['only failed'])
})

test('B10 in a repeatable read transaction a lost race is an error that asks for another try (40001)', async () => {
  const worker = await workerOf(database, 'serial', chain('only'))
  const { run_id } = await startRun(database, 'serial')
  const task = await claimOne(database, worker)
  await one.query('begin isolation level repeatable read')
  await one.query('select from millrace.task')
  await fail(other, worker, [{ task }])
  await expect(complete(one, worker, [{ task }])).rejects.toMatchObject({ code: '40001' })
  await one.query('rollback')
  expect(await outcomesOf(database, run_id)).toEqual(['only failed'])
})

function meeting(): { resolve: () => void; promise: Promise<void> } {
  let resolve = (): void => {}
  const promise = new Promise<void>((met) => {
    resolve = met
  })
  return { resolve, promise }
}
