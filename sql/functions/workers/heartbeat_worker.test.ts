// What a heartbeat does besides prolonging the lease, and whom a worker judges that has just connected.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defineLimit, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  chain,
  claim,
  claimOne,
  completeAll,
  heartbeat,
  registerPipeline,
  registerWorker,
  runOf,
  startInputs,
  startRun,
  sweep,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one } = await openMeeting()
// Nobody is swept sooner than one lease after the server started, so the clock begins an hour later.
beforeEach(async () => {
  await database.clock.reset()
  await database.clock.advance('1 hour')
})
// No worker of one test is found by the heartbeats of the next.
afterEach(async () => {
  await database.clock.advance('100 days')
  while ((await sweep(database)) > 0);
})

const leaseSeconds = 1_000
const beatNew = (worker: Worker) => heartbeat(database, worker, [], { sweep: false })
const outcomes = async (run: string) => (await attemptsOf(database, run)).map(({ outcome }) => outcome)

test('a worker that is too new to judge others promotes and claims what is due', async () => {
  await registerPipeline(database, 'later', chain('only'))
  const availableAt = new Date((await database.clock.now()).getTime() + 60_000).toISOString()
  await startRun(database, 'later', null, { availableAt })
  const worker = await registerWorker(database)
  const claimed = async () => {
    const answers = await heartbeat(database, worker, [], { sweep: false, room: 1 })
    return answers.filter(({ kind }) => kind === 'task').length
  }
  expect(await claimed()).toBe(0)
  await database.clock.advance(60_000)
  expect(await claimed()).toBe(1)
})

test('a worker that is too new to judge others carries out what was left to a sweep', async () => {
  const worker = await workerOf(database, 'newest', chain('only'), { leaseSeconds })
  await defineLimit(
    database,
    'newest',
    { kind: 'concurrency', capacity: 1, strategy: 'cancel_oldest', key: [['n']] },
    'newest',
  )
  const [oldest] = await startInputs(database, 'newest', [{ n: 1 }])
  await claimOne(database, worker)
  await startInputs(database, 'newest', [{ n: 1 }])
  expect(await claim(database, worker, 10)).toEqual([])
  await beatNew(worker)
  expect((await runOf(database, oldest!)).state).toBe('cancelled')
})

test('a worker that is too new to judge others calls who waits for a limit that has room', async () => {
  const worker = await workerOf(database, 'left', chain('only'), { leaseSeconds })
  await defineLimit(database, 'left', sharedKey(1), 'left')
  const runs = await startInputs(database, 'left', [1, 2])
  const first = await claim(database, worker, 10)
  await one.query('begin')
  await one.query('select from millrace.waiting_task where run_id = $1 for update', [runs[1]])
  await completeAll(database, worker, first)
  await one.query('rollback')
  await database.clock.advance('2s')
  expect(await claim(database, worker, 10)).toEqual([])
  await beatNew(worker)
  expect((await claim(database, worker, 10)).map(({ run_id }) => run_id)).toEqual([runs[1]])
})

test('A1 where workers only live for moments, the second that comes a lease after the lease of another has run out takes over what that held', async () => {
  await database.clock.advance('2 hours')
  const killed = await workerOf(database, 'moments', chain('only'), { leaseSeconds: 10 })
  const { run_id } = await startRun(database, 'moments')
  await claimOne(database, killed)
  await database.clock.advance('19 seconds')
  await beatNew(await workerFor(database, 'moments', { leaseSeconds: 10 }))
  expect(await outcomes(run_id)).toEqual([])
  await database.clock.advance('2 seconds')
  await beatNew(await workerFor(database, 'moments', { leaseSeconds: 10 }))
  expect(await outcomes(run_id)).toEqual([])
  await database.clock.advance('11 seconds')
  const next = await workerFor(database, 'moments', { leaseSeconds: 10 })
  const answers = await heartbeat(database, next, [], { sweep: false, room: 1 })
  expect(answers.filter(({ kind }) => kind === 'task')).toMatchObject([{ attempt: 2, failures: 1 }])
  expect(await attemptsOf(database, run_id)).toMatchObject([
    { outcome: 'reclaimed', reason: "Worker 'test' is gone: its lease ran out." },
  ])
})

test('a worker that is too new to judge others does not by their locks', async () => {
  const unlocked = await workerOf(database, 'unlocked', chain('only'), { leaseSeconds })
  const { run_id } = await startRun(database, 'unlocked')
  const task = await claimOne(database, unlocked)
  await heartbeat(database, unlocked, [task], { locked: true })
  await database.clock.advance('1 minute')
  const judge = await workerFor(database, 'unlocked', { leaseSeconds })
  await beatNew(judge)
  expect(await outcomes(run_id)).toEqual([])
  await heartbeat(database, judge, [], { sweep: true })
  expect(await outcomes(run_id)).toEqual(['reclaimed'])
})

test('a worker that is too new fails no run of which nothing was heard while nobody could be', async () => {
  await workerOf(database, 'reported', chain('only'))
  const [run] = await database.query<{ run_id: string }>(
    "select run_id from millrace.ensure_run('reported', '{}', silence_seconds => 30)",
  )
  await database.clock.advance('40 seconds')
  const judge = await workerFor(database, 'reported', { leaseSeconds })
  await beatNew(judge)
  expect((await runOf(database, run!.run_id)).state).toBe('pending')
  await heartbeat(database, judge, [], { sweep: true })
  expect((await runOf(database, run!.run_id)).state).toBe('failed')
})

test('whoever was cut off together with others leaves them the time to be heard again, also one that comes at its end', async () => {
  // No worker of another test was heard meanwhile.
  await database.clock.advance('1 hour')
  const cut = await workerOf(database, 'cut-off', chain('only'), { leaseSeconds: 10 })
  const judge = await workerFor(database, 'cut-off', { leaseSeconds })
  const { run_id } = await startRun(database, 'cut-off')
  const task = await claimOne(database, cut)
  await database.clock.advance('1 minute')
  await beatNew(judge)
  await beatNew(await workerFor(database, 'cut-off', { leaseSeconds: 10 }))
  expect(await heartbeat(database, cut, [task])).toMatchObject([{ kind: 'order' }])
  await beatNew(judge)
  expect(await outcomes(run_id)).toEqual([])
  await database.clock.advance('1 minute')
  await beatNew(judge)
  expect(await outcomes(run_id)).toEqual([])
  await database.clock.advance('11 seconds')
  await beatNew(judge)
  expect(await outcomes(run_id)).toEqual(['reclaimed'])
})
