// Claims: slots, priorities, queues, and the wake-up of a worker that sleeps.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { Arrival, asOther, atRest, countStatements, openMillrace } from '../../test/millrace.ts'
import { runOf } from '../../test/protocol.ts'
import type { Statement } from '../db/call.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { Claims } from './claims.ts'
import { LanePositions } from './lanes.ts'
import { Slots } from './slots.ts'

const { database, opened } = await openMillrace()

/** Nothing is found by a heartbeat in these tests: the next one comes after a minute. */
const noPolling = { leaseSeconds: 3_600, heartbeatMs: 60_000 }
const asleep = () =>
  until(
    'the worker sleeps',
    async () =>
      (await database.query("select 1 from millrace.worker where sleeping and state <> 'gone'")).length === 1,
  )

test('JQ-18 a start from another connection wakes an idle worker, again and again, with no poll in between', async () => {
  const echo = pipeline('echo', { input: z.object({ n: z.number() }) }).step('say', ({ input }) => input.n)
  await opened.worker({ pipelines: [echo], ...noPolling })
  const elsewhere = opened.client({ database: asOther(database.url) })
  for (let n = 0; n < 20; n++) {
    // Each start meets the worker at another moment of its way to sleep.
    if (n % 4 === 0) await asleep()
    const { run } = await elsewhere.start(echo, { n })
    expect(await elsewhere.run(run!.id).result()).toBe(n)
  }
})

test("JQ-18 a start inside somebody else's transaction wakes the worker when that commits", async () => {
  const kept = pipeline('kept').step('do', () => 'done')
  await opened.worker({ pipelines: [kept], ...noPolling })
  const client = opened.client()
  await asleep()
  const own = await database.pool.connect()
  await own.query('begin')
  const { run } = await client.start(kept, null, { tx: own })
  await asleep()
  await own.query('commit')
  own.release()
  expect(await client.run(run!.id).result()).toBe('done')
})

test('a claim takes no more than the free slots, and the rest as soon as slots are free', async () => {
  const hold = new Arrival()
  let running = 0
  let most = 0
  const wide = pipeline('wide').step('hold', async () => {
    most = Math.max(most, ++running)
    await hold.come
    running--
  })
  const worker = await opened.worker({ pipelines: [wide], slots: 3, ...noPolling })
  const client = opened.client()
  const answers = await client.startMany(wide, Array(8).fill(null))
  await until('all slots are taken', async () => running === 3)
  expect(worker.held).toBe(3)
  const held = await database.query('select 1 from millrace.task where worker_id is not null')
  expect(held).toHaveLength(3)
  hold.arrive()
  await Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
  expect(most).toBe(3)
})

test('JQ-4 what is more urgent is claimed first, then what came first', async () => {
  const order: string[] = []
  const named = pipeline('urgency', { input: z.object({ name: z.string() }) }).step(
    'do',
    ({ input }) => void order.push(input.name),
  )
  const client = opened.client()
  const start = (name: string, priority: number) => client.start(named, { name }, { priority })
  const answers = [
    await start('late', 9),
    await start('one', 5),
    await start('two', 5),
    await start('first', 1),
  ]
  await opened.worker({ pipelines: [named], slots: 1 })
  await Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
  expect(order).toEqual(['first', 'one', 'two', 'late'])
})

test('a retry that is due is found by a worker that has only just started', async () => {
  const again = pipeline('again', { retry: { attempts: 2, initial: '1h', jitter: 'none' } }).step(
    'try',
    ({ attempt }) => {
      if (attempt === 1) throw new Error('once')
      return attempt
    },
  )
  const first = await opened.worker({ pipelines: [again] })
  const client = opened.client()
  const { run } = await client.start(again, null)
  await until(
    'it waits',
    async () =>
      (await database.query('select 1 from millrace.waiting_task where run_id = $1', [run!.id])).length === 1,
  )
  await first.stop()
  await database.clock.advance('61 minutes')
  const second = await opened.worker({ pipelines: [again], ...noPolling })
  await second.tick()
  expect(await client.run(run!.id).result()).toBe(2)
  await database.clock.reset()
})

test('a step of a queue that no worker serves is claimed by nobody, and a worker of that queue runs it', async () => {
  const queued = pipeline('queued')
    .step('here', () => 1)
    .step('there', { queue: 'browser' }, ({ steps }) => steps.here + 1)
  await opened.worker({ pipelines: [queued], queues: ['default'] })
  const client = opened.client()
  const { run } = await client.start(queued, null)
  await until(
    'the second step is ready',
    async () =>
      (await database.query('select 1 from millrace.task where run_id = $1 and worker_id is null', [run!.id]))
        .length === 1,
  )
  expect(await runOf(database, run!.id)).toMatchObject({ state: 'running' })
  await opened.worker({ pipelines: [queued], queues: ['browser'] })
  expect(await client.run(run!.id).result()).toBe(2)
})

test('an idle worker sends nothing between its heartbeats', async () => {
  const idle = pipeline('idle').step('do', () => 1)
  const statements = countStatements()
  const worker = await opened.worker({ pipelines: [idle], ...noPolling })
  await atRest(statements)
  statements.sent.length = 0
  await worker.tick()
  expect(statements.sent).toEqual(['millrace_heartbeat_worker'])
  statements.stop()
})

test('a wake-up that comes while a heartbeat holds every free slot is not lost', async () => {
  const slots = new Slots(2)
  let looks = 0
  const caller = {
    call: async <Row>({ name }: Statement): Promise<Row[]> => {
      // It never gets to say that it sleeps, and so never looks again by itself.
      if (name !== 'millrace_claim_tasks') return new Promise(() => {})
      looks++
      return []
    },
  }
  const claims = new Claims({
    caller,
    key: { workerId: '', lockKey: 0 },
    slots,
    lanes: new LanePositions([1]),
    begin: () => {},
    takes: () => true,
    woken: () => {},
    looked: () => {},
    failed: () => {},
    lost: () => {},
    monotonic: () => 0,
  })
  claims.look()
  await until('the first look is over', async () => looks === 1)
  const reserved = slots.reserve(slots.free)
  claims.wake()
  claims.found([], reserved, true)
  await until('it looks again', async () => looks === 2)
  claims.stop()
})
