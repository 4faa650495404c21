// Slots: however answers, claims and hand-overs cross, a worker holds no more tasks, and runs no more handlers, than it has slots.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { Arrival, asOther, countStatements, openOn, type Opened } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'

let database: TestDatabase
let opened: Opened
beforeAll(async () => {
  database = await createTestDatabase()
  opened = openOn(database)
})
afterEach(() => opened.close())
afterAll(() => database.close())

const items = Array.from({ length: 30 }, (_, item) => item)

async function countOf(text: string): Promise<number> {
  const [row] = await database.query<{ n: number }>(`select count(*)::int as n from ${text}`)
  return row!.n
}
const heldNow = () => countOf('millrace.task where worker_id is not null')
const liveRuns = () => countOf("millrace.run where state in ('pending', 'running', 'waiting')")
const underWay = (statement: string) =>
  countOf(
    `pg_stat_activity where state = 'active' and query like '%millrace.${statement}(%' and pid <> pg_backend_pid()`,
  )
const allEnded = () => until('all runs have ended', async () => (await liveRuns()) === 0, 120_000)

test.each([8, 24])(
  'maps that expand while claims and hand-overs are under way never run more handlers than the %i slots of a worker',
  async (slots) => {
    const seen = { running: 0, most: 0 }
    const work = async () => {
      seen.running++
      seen.most = Math.max(seen.most, seen.running)
      await pause(seen.running % 4)
      seen.running--
    }
    const maps = pipeline(`maps-${slots}`)
      .step('list', async () => {
        await work()
        return items
      })
      .map('each', { over: 'list' }, work)
      .step('left', { after: 'each' }, work)
      .step('right', { after: 'each' }, work)
    const plain = pipeline(`plain-${slots}`).step('first', work).step('second', work)
    const calling = pipeline(`calling-${slots}`).step('call', async ({ durable }) => {
      await work()
      await durable.call(plain, null)
      await durable.callMany(plain, [null, null, null])
      await work()
    })
    await opened.worker({ pipelines: [maps, plain, calling], slots })
    const here = opened.client()
    // Its starts are claimed, those of the one here are handed over.
    const there = opened.client({ database: asOther(database.url) })
    for (let round = 0; round < 30; round++) {
      const starts = Array.from({ length: 12 }, (_, n) =>
        (n % 2 === 0 ? here : there).start(n % 3 === 0 ? maps : n % 4 === 0 ? calling : plain, null),
      )
      await Promise.all(starts)
      await pause(round % 5)
    }
    await allEnded()
    expect(seen.running).toBe(0)
    expect(seen.most).toBe(slots)
  },
  150_000,
)

test.each([8, 24])(
  'what a completion under way may bring is set aside: a claim that crosses it takes the rest of %i slots, and no more',
  async (slots) => {
    const listed = new Arrival()
    const done = new Arrival()
    const seen = { running: 0, most: 0 }
    const work = async () => {
      seen.running++
      seen.most = Math.max(seen.most, seen.running)
      await done.come
      seen.running--
    }
    const maps = pipeline(`crossed-map-${slots}`)
      .step('list', () => listed.come.then(() => items))
      .map('each', { over: 'list' }, work)
    const plain = pipeline(`crossed-plain-${slots}`).step('only', work)
    await opened.worker({ pipelines: [maps, plain], slots })
    const client = opened.client({ database: asOther(database.url) })
    const { run } = await client.start(maps, null)
    await until('the list is in hand', async () => (await heldNow()) === 1)

    const blocker = await database.pool.connect()
    await blocker.query('begin')
    await blocker.query('select from millrace.task where run_id = $1 for update', [run!.id])
    listed.arrive()
    const waiting = "pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    await until('its completion waits', async () => (await countOf(waiting)) === 1)
    await Promise.all(items.map(() => client.start(plain, null)))
    await hasLooked()
    await blocker.query('commit')
    blocker.release()

    await until('all slots are taken', () => seen.running >= slots)
    expect(await heldNow()).toBe(slots)
    done.arrive()
    await allEnded()
    expect(seen.most).toBe(slots)
  },
  60_000,
)

test('what a lost answer may have brought stays set aside until the worker has asked: it never holds or runs more than its slots', async () => {
  const slots = 6
  const seen = { running: 0, most: 0, held: 0 }
  const work = async () => {
    seen.running++
    seen.most = Math.max(seen.most, seen.running)
    await pause(20 + (seen.running % 4) * 10)
    seen.running--
  }
  const maps = pipeline('lost-map')
    .step('list', async () => {
      await work()
      return items
    })
    .map('each', { over: 'list' }, work)
  const plain = pipeline('lost-plain').step('only', work)
  const calling = pipeline('lost-call').step('call', async ({ durable }) => {
    await work()
    await durable.call(plain, null)
    await work()
  })
  const proxy = await openProxy(database.url)
  await opened.worker({ pipelines: [maps, plain, calling], slots, database: proxy.through(database.url) })
  const client = opened.client()
  for (const statement of [
    'claim_tasks',
    'complete_tasks',
    'heartbeat_worker',
    'complete_tasks',
    'park_tasks',
    'claim_tasks',
  ]) {
    const lost = proxy.loseAnswerTo(`millrace_${statement}`)
    await Promise.all(
      items.map((item) => client.start(item % 10 === 0 ? maps : item % 5 === 0 ? calling : plain, null)),
    )
    await lost
    await until('what nobody hears of is done', async () => (await underWay(statement)) === 0)
    proxy.cut()
    await until('all runs have ended', async () => {
      seen.held = Math.max(seen.held, await heldNow())
      return (await liveRuns()) === 0
    })
  }
  expect(seen.running).toBe(0)
  expect(seen.most).toBeLessThanOrEqual(slots)
  expect(seen.held).toBeLessThanOrEqual(slots)
  await opened.close()
  await proxy.close()
}, 120_000)

test('a step that has run for longer than others are remembered is not begun again when the worker asks what it holds', async () => {
  let passedMs = 0
  let begun = 0
  const began = new Arrival()
  const done = new Arrival()
  const long = pipeline('long-step').step('only', async () => {
    begun++
    began.arrive()
    await done.come
  })
  const short = pipeline('short-step').step('only', () => 1)
  const proxy = await openProxy(database.url)
  await opened.worker({
    pipelines: [long, short],
    database: proxy.through(database.url),
    leaseSeconds: 600,
    monotonic: () => performance.now() + passedMs,
  })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(long, null)
  await began.come
  for (let minutes = 0; minutes < 6; minutes += 2) {
    passedMs += 121_000
    expect(await client.run((await client.start(short, null)).run!.id).result()).toBe(1)
  }
  const statements = countStatements()
  const lost = proxy.loseAnswerTo('millrace_heartbeat_worker')
  await lost
  proxy.cut()
  const asked = () => statements.sent.filter((name) => name === 'millrace_list_held_tasks').length
  // The second is sent once the first has been worked off.
  await until('it has asked what it holds', () => asked() > 1)
  statements.stop()
  done.arrive()
  await client.run(run!.id).result()
  expect(begun).toBe(1)
  await opened.close()
  await proxy.close()
}, 60_000)

/** When the only worker has claimed what it may: its heartbeats look as well. */
async function hasLooked(): Promise<void> {
  for (let beats = 0; beats < 3; beats++) {
    const [before] = await database.query<{ at: string }>(
      'select max(heartbeat_at)::text as at from millrace.worker',
    )
    await until(
      'a heartbeat',
      async () => (await countOf(`millrace.worker where heartbeat_at > '${before!.at}'`)) > 0,
    )
  }
}
