// The sweep: who is gone loses what it held, at once and once, and can never write again.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  type Connection,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  fail,
  heartbeat,
  newId,
  outcomesOf,
  pauseRun,
  registerPipeline,
  registerWorker,
  release,
  resumeRun,
  runOf,
  type StepSpec,
  startRun,
  startRuns,
  startStep,
  sweep,
  untilBlocked,
  type Worker,
  withPath,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
// Nobody is swept sooner than one lease after the server started, so the clock begins an hour later.
beforeEach(async () => {
  await database.clock.reset()
  await database.clock.advance('1 hour')
})
// No worker of one test is found by the sweeps of the next.
afterEach(async () => {
  await database.clock.advance('100 days')
  while ((await sweep(database)) > 0);
})

async function twoWorkers(slug: string, steps: StepSpec[] = chain('only')): Promise<[Worker, Worker]> {
  return [
    await workerOf(database, slug, steps, { leaseSeconds: 10 }),
    await workerFor(database, slug, { leaseSeconds: 100_000 }),
  ]
}

const stateOf = async (worker: Worker): Promise<string> => {
  const [row] = await database.query<{ state: string }>('select state from millrace.worker where id = $1', [
    worker.id,
  ])
  return row?.state ?? ''
}

test('A3 every verb of a former attempt is refused, and the new owner is untouched', async () => {
  const [zombie, heir] = await twoWorkers('zombie')
  const { run_id } = await startRun(database, 'zombie')
  const task = await claimOne(database, zombie)
  await database.clock.advance('31 seconds')
  expect(await sweep(database)).toBe(1)
  const own = await claimOne(database, heir)
  expect(own).toMatchObject({ task_id: task.task_id, attempt: 2, failures: 1 })
  const before = await database.query('select * from millrace.task where id = $1', [task.task_id])
  for (const attempt of [1, 2]) {
    const stale = { ...task, attempt }
    expect(await complete(database, zombie, [{ task: stale, output: 'stale' }])).toMatchObject([
      { kind: 'lost' },
    ])
    expect(await fail(database, zombie, [{ task: stale }])).toMatchObject([{ kind: 'lost' }])
    expect(await release(database, zombie, [stale])).toMatchObject([{ kind: 'lost' }])
    expect(await heartbeat(database, zombie, [stale], { sweep: true, room: 5 })).toMatchObject([
      { kind: 'gone' },
    ])
    expect(await holds(zombie, stale)).toBe(false)
  }
  expect(await claim(database, zombie, 5)).toEqual([])
  expect(
    await startRuns(database, [{ id: newId(Date.now() + 3_600_000), slug: 'zombie' }], zombie, 5),
  ).toEqual([])
  const [stopped] = await database.query('select millrace.stop_worker($1, $2) as done', [
    zombie.id,
    zombie.lockKey,
  ])
  expect(stopped).toEqual({ done: false })
  expect(await database.query('select * from millrace.task where id = $1', [task.task_id])).toEqual(before)
  await complete(database, heir, [{ task: own, output: 'fresh' }])
  expect((await runOf(database, run_id)).output).toBe('fresh')
  expect(await outcomesOf(database, run_id)).toEqual(['only reclaimed', 'only completed'])
})

async function holds(
  worker: Worker,
  task: { task_id: string; step_id: number; attempt: number },
): Promise<boolean> {
  const [row] = await database.query<{ holds: boolean }>(
    'select millrace.hold_task($1, $2, $3, $4, $5) as holds',
    [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt],
  )
  return row?.holds ?? false
}

test('A3 a live worker hears which of its attempts it has lost, and which to abort', async () => {
  const [worker, heir] = await twoWorkers('partly')
  const { run_id } = await startRun(database, 'partly')
  await startRun(database, 'partly')
  const tasks = await claim(database, worker, 2)
  const [mine, cancelled] = [
    tasks.find((task) => task.run_id !== run_id),
    tasks.find((task) => task.run_id === run_id),
  ]
  if (mine === undefined || cancelled === undefined) throw new Error('both were claimed')
  await cancelRun(database, run_id)
  const answers = await heartbeat(database, worker, [mine, cancelled, { ...mine, attempt: 7 }])
  expect(answers.map(({ kind, detail }) => [kind, detail])).toEqual(
    expect.arrayContaining([
      ['order', 'none'],
      ['abort', 'cancelled'],
      ['lost', null],
    ]),
  )
  expect(answers).toHaveLength(3)
  await release(database, worker, tasks)
  await cancelRun(database, mine.run_id)
  expect(await claim(database, heir, 5)).toEqual([])
})

test('A11 among ten thousand that are alive for long, the one that is stuck is found in one sweep', async () => {
  const [stuck, heir] = await twoWorkers('needle')
  await startRun(database, 'needle')
  await claimOne(database, stuck)
  await database.query(
    `insert into millrace.worker (id, kind, state, name, host, slots, lease_seconds, started_at, heartbeat_at, lease_expires_at)
     select gen_random_uuid(), 'outside', 'running', 'long', 'outside', 1, 86400, now.at, now.at, now.at + interval '1 day'
       from millrace.now() now(at), generate_series(1, 10000)`,
  )
  await database.clock.advance('11 seconds')
  expect(await sweep(database)).toBe(1)
  expect(await stateOf(stuck)).toBe('gone')
  expect(await claim(database, heir, 1)).toMatchObject([{ attempt: 2 }])
  await database.query("delete from millrace.worker where name = 'long'")
})

test('a heartbeat in time keeps everything; the last moment of a lease still counts', async () => {
  const [worker] = await twoWorkers('alive')
  await startRun(database, 'alive')
  const task = await claimOne(database, worker)
  await database.clock.freeze()
  await heartbeat(database, worker, [task])
  for (let n = 0; n < 5; n++) {
    await database.clock.advance('10 seconds')
    expect(await sweep(database)).toBe(0)
    expect(await heartbeat(database, worker, [task])).toMatchObject([{ kind: 'order' }])
  }
  await database.clock.advance('10.001 seconds')
  expect(await sweep(database)).toBe(1)
})

test('a worker whose liveness lock the server has freed is gone after a second of silence; a held lock prolongs nothing', async () => {
  const [dead, living] = await twoWorkers('liveness')
  await registerLocked(one, dead)
  await registerLocked(other, living)
  await database.clock.freeze()
  await heartbeat(database, dead, [], { locked: true })
  await heartbeat(database, living, [], { locked: true })
  await one.query('select pg_advisory_unlock_all()')
  await database.clock.advance('0.9 seconds')
  expect(await sweep(database)).toBe(0)
  await database.clock.advance('0.2 seconds')
  expect(await sweep(database)).toBe(1)
  expect([await stateOf(dead), await stateOf(living)]).toEqual(
    ['gone', 'idle'].map((state, n) => (n === 0 ? state : 'running')),
  )
  await database.clock.advance('100001 seconds')
  expect(await sweep(database)).toBe(1)
  await other.query('select pg_advisory_unlock_all()')
})

const registerLocked = (connection: Connection, worker: Worker) =>
  connection.query('select pg_advisory_lock(77421, $1)', [worker.lockKey])

test('nobody is swept sooner than one lease after the server started', async () => {
  await database.clock.reset()
  const [row] = await database.query<{ started: Date }>('select pg_postmaster_start_time() as started')
  await database.clock.freeze(row?.started)
  const [worker] = await twoWorkers('restarted')
  await database.query(
    `update millrace.worker set heartbeat_at = heartbeat_at - interval '1 minute',
    lease_expires_at = heartbeat_at - interval '50 seconds' where id = $1`,
    [worker.id],
  )
  await database.clock.advance('9 seconds')
  expect(await sweep(database)).toBe(0)
  await database.clock.advance('2 seconds')
  expect(await sweep(database)).toBe(1)
})

test('a worker with a transaction under way is not swept; the next sweep looks again', async () => {
  const [worker] = await twoWorkers('under-way')
  const { run_id } = await startRun(database, 'under-way')
  const task = await claimOne(database, worker)
  await database.clock.advance('1 minute')
  await one.query('begin')
  await complete(one, worker, [{ task, output: 'just in time' }])
  expect(await sweep(database)).toBe(0)
  await one.query('commit')
  expect((await runOf(database, run_id)).output).toBe('just in time')
  expect(await sweep(database)).toBe(1)
})

test('a transaction that begins while its worker is being swept waits, and then is refused', async () => {
  const [worker] = await twoWorkers('too-late')
  const { run_id } = await startRun(database, 'too-late')
  const task = await claimOne(database, worker)
  await database.clock.advance('1 minute')
  for (const verb of ['hold', 'complete'] as const) {
    await one.query('begin')
    expect(await sweep(one)).toBe(1)
    const late =
      verb === 'complete'
        ? complete(other, worker, [{ task }]).then(([answer]) => answer?.kind === 'lost')
        : other
            .query<{ holds: boolean }>('select millrace.hold_task($1, $2, $3, $4, $5) as holds', [
              worker.id,
              worker.lockKey,
              task.task_id,
              task.step_id,
              task.attempt,
            ])
            .then(([row]) => row?.holds === false)
    await untilBlocked(database)
    await one.query(verb === 'complete' ? 'commit' : 'rollback')
    expect(await late).toBe(verb === 'complete')
  }
  expect(await outcomesOf(database, run_id)).toEqual(['only reclaimed'])
  await cancelRun(database, run_id)
})

test('PP-C7 a worker that stops while a completion of its own is under way leaves nothing to nobody', async () => {
  const [worker, heir] = await twoWorkers('stopping', chain('a', 'b'))
  const { run_id } = await startRun(database, 'stopping')
  const task = await claimOne(database, worker)
  await one.query('begin')
  expect(await complete(one, worker, [{ task }])).toMatchObject([{ kind: 'next' }])
  const stopping = other.query('select millrace.stop_worker($1, $2) as stopped', [worker.id, worker.lockKey])
  await untilBlocked(database)
  await one.query('commit')
  expect(await stopping).toEqual([{ stopped: true }])
  expect(await claim(database, heir, 5)).toMatchObject([{ run_id, attempt: 2, failures: 1 }])
  expect(await outcomesOf(database, run_id)).toEqual(['a completed', 'b reclaimed'])
})

test('an attempt that is taken back by whoever had to wait ends before the next one begins', async () => {
  const [worker, heir] = await twoWorkers('waited')
  const { run_id } = await startRun(database, 'waited')
  await one.query('begin')
  await heartbeat(one, worker)
  const stopping = other.query('select millrace.stop_worker($1, $2)', [worker.id, worker.lockKey])
  await untilBlocked(database)
  // The claim begins after the other one has read its clock, and commits before that sees the task.
  await database.clock.advance('2 seconds')
  await claimOne(one, worker)
  await one.query('commit')
  await stopping
  await database.clock.advance('-2 seconds')
  await claim(database, heir, 5)
  const [first] = await attemptsOf(database, run_id)
  expect(first?.retry_at?.getTime()).toBeGreaterThanOrEqual(first!.finished_at.getTime())
  const [next] = await database.query<{ claimed_at: Date }>(
    'select claimed_at from millrace.task where run_id = $1',
    [run_id],
  )
  expect(next!.claimed_at.getTime()).toBeGreaterThanOrEqual(first!.finished_at.getTime())
  await cancelRun(database, run_id)
})

test('A10 a step that kills its worker each time ends as a dead letter, and others go on', async () => {
  const [, heir] = await twoWorkers('poison')
  const handlers = heir.handlers
  const { run_id } = await startRun(database, 'poison')
  for (let n = 1; n <= 3; n++) {
    const victim = await registerWorker(database, { handlers, leaseSeconds: 10 })
    expect(await claimOne(database, victim)).toMatchObject({ run_id, attempt: n, failures: n - 1 })
    await database.clock.advance('11 seconds')
    expect(await sweep(database)).toBeGreaterThan(0)
  }
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'failed',
    error: { code: 'worker_lost', step: 'only', retryable: true },
  })
  expect(await attemptsOf(database, run_id)).toMatchObject([
    { outcome: 'reclaimed', retry_at: expect.any(Date) },
    { outcome: 'reclaimed', retry_at: expect.any(Date) },
    { outcome: 'reclaimed', retry_at: null, reason: "Worker 'test' is gone: its lease ran out." },
  ])
  const { run_id: next } = await startRun(database, 'poison')
  expect(await claim(database, heir, 1)).toMatchObject([{ run_id: next }])
})

test('what was aborted or paused on a lost worker is not tried again, or not before the resume', async () => {
  const [worker, heir] = await twoWorkers('lost-states')
  const cancelled = await startRun(database, 'lost-states')
  const paused = await startRun(database, 'lost-states')
  expect(await claim(database, worker, 2)).toHaveLength(2)
  await cancelRun(database, cancelled.run_id)
  await pauseRun(database, paused.run_id)
  await database.clock.advance('11 seconds')
  expect(await sweep(database)).toBe(1)
  expect(await claim(database, heir, 5)).toEqual([])
  await resumeRun(database, paused.run_id)
  expect(await claim(database, heir, 5)).toMatchObject([{ run_id: paused.run_id, attempt: 2 }])
  expect(await outcomesOf(database, cancelled.run_id)).toEqual(['only reclaimed'])
})

test('a sweep and a report from outside that meet half-way never wait in a circle, and one of them wins', async () => {
  await registerPipeline(database, 'outside-race', chain('only'))
  for (const first of ['sweep', 'report']) {
    const { run_id } = await startRun(database, 'outside-race')
    await startStep(database, run_id, 'only', { leaseSeconds: 5 })
    await database.clock.advance('6 seconds')
    const report = (connection: Connection) =>
      connection.query("select millrace.complete_step($1, 'only', 1, '1') as done", [run_id])
    await one.query('begin')
    if (first === 'sweep') {
      expect(await sweep(one)).toBe(1)
      const late = report(other).then(
        () => 'taken',
        (error: { code: string }) => error.code,
      )
      await untilBlocked(database)
      await one.query('commit')
      expect(await late).toBe('MR008')
    } else {
      await report(one)
      expect(await sweep(other)).toBe(0)
      await one.query('commit')
    }
    expect(await outcomesOf(database, run_id)).toEqual([
      first === 'sweep' ? 'only reclaimed' : 'only completed',
    ])
    await cancelRun(database, run_id)
  }
})

test('a worker whose call is under way is not gone, and its row stays free for its own heartbeat', async () => {
  const worker = await workerOf(database, 'busy-row', chain('only'))
  await database.clock.advance('1 hour')
  await one.query('begin')
  await one.query('select millrace.enter_worker($1, $2)', [worker.id, worker.lockKey])
  await other.query('begin')
  expect(
    await other.query(withPath('millrace.end_workers(array[$1::uuid], millrace.now())'), [worker.id]),
  ).toEqual([{ answer: 0 }])
  await database.query('select from millrace.worker where id = $1 for update nowait', [worker.id])
  await other.query('rollback')
  await one.query('rollback')
})
