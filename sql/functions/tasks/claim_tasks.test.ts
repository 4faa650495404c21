// Claims: in the order of priority and start, each task once, and nothing that the worker can't or must not run.
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  type ClaimedTask,
  chain,
  claim,
  claimOne,
  complete,
  connect,
  fail,
  heartbeat,
  lanesOf,
  newId,
  pauseRun,
  promote,
  registerPipeline,
  registerWorker,
  resumeRun,
  startRun,
  startRuns,
  sweep,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

const pipelineWithWorker = (slug: string): Promise<Worker> =>
  workerOf(database, slug, chain('only'), { leaseSeconds: 3600 })

async function startMany(slug: string, priorities: number[]): Promise<string[]> {
  const starts = priorities.map((priority) => ({ id: newId(), slug, priority }))
  for (let n = 0; n < starts.length; n += 1000) await startRuns(database, starts.slice(n, n + 1000))
  return starts.map(({ id }) => id)
}

test('JQ-4 with ten thousand of priority 3 waiting, one of priority 1 is claimed next', async () => {
  const worker = await pipelineWithWorker('urgent')
  await startMany(
    'urgent',
    Array.from({ length: 10_000 }, () => 3),
  )
  const [urgent] = await startMany('urgent', [1])
  expect(await claimOne(database, worker)).toMatchObject({ run_id: urgent, priority: 1 })
  expect(await claimOne(database, worker)).toMatchObject({ priority: 3 })
})

test('JQ-25 a thousand of mixed priorities are claimed in the order of priority, then first come, first served', async () => {
  const worker = await pipelineWithWorker('mixed')
  const priorities = Array.from({ length: 1000 }, (_, n) => ((n * 7919) % 9) + 1)
  const ids = await startMany('mixed', priorities)
  const claimed: ClaimedTask[] = []
  for (let room = 1; claimed.length < 1000; room = (room % 17) + 1)
    claimed.push(...(await claimInOrder(worker, room)))
  const expected = ids
    .map((id, n) => ({ id, n, priority: priorities[n] ?? 0 }))
    .toSorted((a, b) => a.priority - b.priority || a.n - b.n)
  expect(claimed.map(({ run_id }) => run_id)).toEqual(expected.map(({ id }) => id))
})

/** A batch comes in no order of its own; its tasks are begun by priority and position. */
async function claimInOrder(worker: Worker, room: number): Promise<ClaimedTask[]> {
  const tasks = await claim(database, worker, room)
  return tasks.toSorted((a, b) => a.priority - b.priority || Number(a.task_id) - Number(b.task_id))
}

test('JQ-25 eight claimers at once never claim a task twice, leave none, and meet no deadlock', async () => {
  const worker = await pipelineWithWorker('contended')
  const connections = await Promise.all(Array.from({ length: 8 }, () => connect(database)))
  const before = await deadlocks()
  await startMany(
    'contended',
    Array.from({ length: 1000 }, (_, n) => ((n * 31) % 9) + 1),
  )
  const lists = await Promise.all(
    connections.map(async (connection) => {
      const own = await registerWorker(connection, { handlers: worker.handlers, leaseSeconds: 3600 })
      const claimed: ClaimedTask[] = []
      for (;;) {
        const tasks = await claim(connection, own, 13)
        if (tasks.length === 0) return claimed
        claimed.push(...tasks)
        await complete(
          connection,
          own,
          tasks.map((task) => ({ task })),
        )
      }
    }),
  )
  const ids = lists.flat().map(({ task_id }) => task_id)
  expect(ids).toHaveLength(1000)
  expect(new Set(ids).size).toBe(1000)
  for (const list of lists) {
    const first_of_each = list.map(({ priority }) => priority)
    // Each claimer alone goes from the urgent to the others; a batch may hold a neighbour's last and its own next.
    expect(first_of_each[0] ?? 1).toBeLessThanOrEqual(first_of_each.at(-1) ?? 9)
  }
  await Promise.all(connections.map((connection) => connection.end()))
  expect(await deadlocks()).toBe(before)
})

async function deadlocks(): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    'select deadlocks::int as n from pg_stat_database where datname = current_database()',
  )
  return row?.n ?? -1
}

test('a claim says what the step needs to run, and its run is running', async () => {
  const worker = await pipelineWithWorker('told')
  const { run_id } = await startRun(database, 'told', { a: 1 }, { tenant: 't', headers: { trace: 'x' } })
  const task = await claimOne(database, worker)
  expect(task).toMatchObject({
    run_id,
    item: -1,
    attempt: 1,
    failures: 0,
    input: { a: 1 },
    tenant: 't',
    headers: { trace: 'x' },
  })
  const [run] = await database.query(
    'select state, started_at is not null as began from millrace.run where id = $1',
    [run_id],
  )
  expect(run).toEqual({ state: 'running', began: true })
})

test('a claim looks beyond the position it is given, in its lanes alone', async () => {
  const worker = await pipelineWithWorker('positions')
  await startMany('positions', [5, 5, 5])
  const lanes = lanesOf(worker.handlers)
  const [first] = await claim(database, worker, 1, lanes)
  const after = (position: number) => ({ ...lanes, positions: lanes.positions.map(() => position) })
  expect(await claim(database, worker, 10, after(Number(first?.task_id) + 1))).toHaveLength(1)
  expect(await claim(database, worker, 10, { handlers: [], priorities: [], positions: [] })).toEqual([])
  expect(await claim(database, worker, 0)).toEqual([])
  expect(await claim(database, worker, 10)).toHaveLength(1)
})

test('D3 a claim inside a transaction that began long before takes its times from the clock, not from the transaction', async () => {
  const worker = await pipelineWithWorker('long-transaction')
  await database.clock.freeze('2031-05-05T10:00:00Z')
  await startRun(database, 'long-transaction')
  await one.query('begin')
  await one.query('select now()')
  await database.clock.advance('50 minutes')
  const task = await claimOne(one, worker)
  await heartbeat(one, worker, [task])
  await one.query('commit')
  const [held] = await database.query(
    `select t.claimed_at, w.heartbeat_at, w.lease_expires_at - w.heartbeat_at as lease
       from millrace.task t join millrace.worker w on w.id = t.worker_id where t.id = $1`,
    [task.task_id],
  )
  expect(held).toMatchObject({
    claimed_at: new Date('2031-05-05T10:50:00Z'),
    heartbeat_at: new Date('2031-05-05T10:50:00Z'),
    lease: { hours: 1 },
  })
  await complete(database, worker, [{ task }])
  await database.clock.reset()
})

test('what waits for a time, a resume or its retry is not where claims look', async () => {
  const worker = await pipelineWithWorker('not-yet')
  const later = new Date(Date.now() + 3_600_000).toISOString()
  const delayed = await startRun(database, 'not-yet', null, { availableAt: later, priority: 1 })
  const failed = await startRun(database, 'not-yet')
  await fail(database, worker, [{ task: await claimOne(database, worker) }])
  const paused = await startRun(database, 'not-yet')
  await pauseRun(database, paused.run_id)
  expect(await claim(database, worker, 10)).toEqual([])
  const reasons = await database.query<{ run_id: string; reason: string }>(
    'select run_id, reason from millrace.waiting_task order by id',
  )
  expect(reasons).toEqual([
    { run_id: delayed.run_id, reason: 'delayed' },
    { run_id: failed.run_id, reason: 'retry' },
    { run_id: paused.run_id, reason: 'paused' },
  ])
  await resumeRun(database, paused.run_id)
  await database.clock.advance('61 minutes')
  expect(await promote(database)).toBe(2)
  expect((await claim(database, worker, 10)).map(({ run_id }) => run_id).toSorted()).toEqual(
    [delayed, failed, paused].map(({ run_id }) => run_id).toSorted(),
  )
  await database.clock.reset()
})

test('a paused pipeline is never claimed, and is claimed again when it is resumed', async () => {
  const worker = await pipelineWithWorker('resting')
  await startMany('resting', [5, 1])
  await database.query("select millrace.pause_pipeline('resting')")
  expect(await claim(database, worker, 10)).toEqual([])
  await database.query("select millrace.resume_pipeline('resting')")
  expect(await claim(database, worker, 10)).toHaveLength(2)
})

test.each(['paused', 'draining'])(
  'a worker that was ordered to be %s claims nothing and keeps what it holds',
  async (order) => {
    const slug = `ordered-${order}`
    const worker = await pipelineWithWorker(slug)
    await startMany(slug, [5, 5])
    const task = await claimOne(database, worker)
    await database.query(`select millrace.${order === 'paused' ? 'pause' : 'drain'}_worker($1)`, [worker.id])
    expect(await claim(database, worker, 10)).toEqual([])
    expect(await heartbeat(database, worker, [task])).toMatchObject([{ kind: 'order', detail: order }])
    expect(await complete(database, worker, [{ task }])).toEqual([])
  },
)

test('E12 a claim answers only what the worker names, and uses no attempt of anything else', async () => {
  const mine = await pipelineWithWorker('mine')
  await pipelineWithWorker('theirs')
  const [foreign] = await startMany('theirs', [1])
  const [own] = await startMany('mine', [9])
  expect(await claim(database, mine, 10)).toMatchObject([{ run_id: own }])
  expect(await database.query('select attempt from millrace.task where run_id = $1', [foreign])).toEqual([
    { attempt: 0 },
  ])
})

test('A12 two claims race for one task: one has it, the other neither waits nor gets it', async () => {
  const worker = await pipelineWithWorker('raced')
  const rival = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 3600 })
  await startMany('raced', [5])
  await one.query('begin')
  expect(await claim(one, worker, 1)).toHaveLength(1)
  expect(await claim(other, rival, 1)).toEqual([])
  await one.query('rollback')
  expect(await claim(other, rival, 1)).toMatchObject([{ attempt: 1 }])
})

test('A12 two sweepers and a claim race for a lost task: it is taken back once and claimed once', async () => {
  const worker = await pipelineWithWorker('swept')
  const heir = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 1_000_000 })
  const lost = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 10 })
  await startMany('swept', [5])
  const task = await claimOne(database, lost)
  await database.clock.advance('1 hour')
  await one.query('begin')
  expect(await sweep(one)).toBeGreaterThan(0)
  expect(await sweep(other)).toBe(0)
  expect(await claim(other, heir, 1)).toEqual([])
  await one.query('commit')
  const [first, second] = await Promise.all([claim(one, heir, 1), claim(other, heir, 1)])
  expect([...first, ...second]).toMatchObject([{ task_id: task.task_id, attempt: 2, failures: 1 }])
  await database.clock.reset()
})

test('a task under a rule, or one that takes turns, begins before those that came later, however many of them there are, and none before those that came earlier', async () => {
  const under = await registerPipeline(database, 'under-a-rule', chain('only'))
  const turning = await registerPipeline(database, 'taking-turns', chain('only'))
  const free = await registerPipeline(database, 'under-none', chain('only'))
  await defineLimit(database, 'five', { kind: 'concurrency', key: [], capacity: 5 }, 'under-a-rule')
  await defineLimit(database, 'turns', { kind: 'fairness', key: [['n']] }, 'taking-turns')
  const handlers = [under, turning, free].flatMap(({ steps }) => steps.map(({ handler }) => handler))
  const worker = await registerWorker(database, { handlers, leaseSeconds: 3600 })
  const slugs = ['under-none', 'under-a-rule', 'taking-turns', 'under-none']
  const runs = []
  for (const slug of slugs) runs.push((await startRun(database, slug, { n: 1 })).run_id)
  const claimed = []
  for (let n = 0; n < slugs.length; n++) {
    const task = await claimOne(database, worker)
    claimed.push(task.run_id)
    await complete(database, worker, [{ task, output: 1 }])
    await startMany('under-none', [5])
  }
  expect(claimed).toEqual(runs)
})

test('who was called back from where it waited for a limit begins before all that became ready after it, in a lane and by turns', async () => {
  const under = await registerPipeline(database, 'called', chain('only'))
  const turning = await registerPipeline(database, 'called-by-turns', chain('only'))
  const free = await registerPipeline(database, 'beside-called', chain('only'))
  for (const slug of ['called', 'called-by-turns'])
    await defineLimit(database, `${slug}-alone`, { kind: 'concurrency', key: [], capacity: 1 }, slug)
  await defineLimit(database, 'called-turns', { kind: 'fairness', key: [['n']] }, 'called-by-turns')
  const handlers = [under, turning, free].flatMap(({ steps }) => steps.map(({ handler }) => handler))
  const worker = await registerWorker(database, { handlers, leaseSeconds: 3600 })
  const runs = []
  for (const slug of ['called', 'called-by-turns', 'called', 'called-by-turns', 'called', 'called-by-turns'])
    runs.push((await startRun(database, slug, { n: 1 })).run_id)
  // The first of each has its place; the others wait for it. Who holds one place waits for no other: so the second is had by a claim of its own.
  const held = [...(await claim(database, worker, 10)), ...(await claim(database, worker, 10))]
  await startMany(
    'beside-called',
    Array.from({ length: 100 }, () => 5),
  )
  const begun = held.map(({ run_id }) => run_id)
  while (begun.length < runs.length) {
    await complete(database, worker, [{ task: held.shift()!, output: 1 }])
    const called = await claimOne(database, worker)
    held.push(called)
    begun.push(called.run_id)
  }
  expect(begun).toEqual(runs)
})

test('a claim of a worker that nobody knows, or under another lock key, is empty', async () => {
  const worker = await pipelineWithWorker('strangers')
  await startMany('strangers', [5])
  expect(await claim(database, { ...worker, id: randomUUID() }, 1)).toEqual([])
  expect(await claim(database, { ...worker, lockKey: worker.lockKey + 1000 }, 1)).toEqual([])
})

test('two claims of entry steps of one run begin it once', async () => {
  const { steps } = await registerPipeline(database, 'two-entries', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
  ])
  const worker = await registerWorker(database, {
    handlers: steps.slice(0, 1).map(({ handler }) => handler),
    leaseSeconds: 3600,
  })
  await startRun(database, 'two-entries')
  await one.query('begin')
  expect(await claim(one, worker, 1)).toHaveLength(1)
  const second = claim(other, worker, 1)
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toHaveLength(1)
})
