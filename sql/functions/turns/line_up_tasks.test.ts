// Strict order by key: one at a time, in the order in which they became ready, whoever claims, fails or dies.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, limitsOf, miscounted } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf, workerOfAll } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  type ClaimedTask,
  claim,
  complete,
  connect,
  fail,
  newId,
  promote,
  registerPipeline,
  registerWorker,
  release,
  type Sql,
  startRuns,
  startStep,
  sweep,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
const blocking = { kind: 'concurrency', capacity: 1, key: [['account']], fifo: 'block' }
const passing = { ...blocking, fifo: 'pass' }

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
  await database.clock.reset()
})

async function start(slug: string, accounts: string[], priority = 5, sql: Sql = database): Promise<string[]> {
  const starts = accounts.map((account) => ({ id: newId(), slug, input: { account }, priority }))
  await startRuns(sql, starts)
  return starts.map(({ id }) => id)
}
const runs = (tasks: ClaimedTask[]) => tasks.map(({ run_id }) => run_id)
const end = (worker: Worker, tasks: ClaimedTask[], sql: Sql = database) =>
  complete(
    sql,
    worker,
    tasks.map((task) => ({ task })),
  )

async function orderly(slug: string, settings: Record<string, unknown> = blocking): Promise<Worker> {
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, `${slug}-order`, settings, slug)
  return worker
}

/** Works off all that is ready, one claim after the other, and answers with the runs as they began. A claim that lines up what came may begin nothing. */
async function workOff(worker: Worker): Promise<string[]> {
  const begun: string[] = []
  for (let empty = 0; empty < 2; ) {
    const tasks = await claim(database, worker, 10)
    empty = tasks.length === 0 ? empty + 1 : 0
    begun.push(...runs(tasks))
    await end(worker, tasks)
  }
  return begun
}

test('of each key one begins after the other, in the order in which they became ready, whatever their priorities', async () => {
  const worker = await orderly('ordered')
  const [first, second, third] = await start('ordered', ['a', 'a', 'a'])
  const [urgent] = await start('ordered', ['a'], 1)
  const [beside] = await start('ordered', ['b'])
  const held = await claim(database, worker, 10)
  expect(runs(held).toSorted()).toEqual([first, beside].toSorted())
  expect(await claim(database, worker, 10)).toEqual([])
  await end(worker, held)
  expect(await workOff(worker)).toEqual([second, third, urgent])
})

test('E8 a head that failed keeps its place until it has ended, and what waits behind it is counted', async () => {
  const worker = await orderly('blocked')
  const [first, second] = await start('blocked', ['a', 'a', 'a'])
  await fail(
    database,
    worker,
    (await claim(database, worker, 10)).map((task) => ({ task, delayMs: 10_000 })),
  )
  await sweep(database)
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await limitsOf(database, 'blocked-order')).toEqual([{ key: 'a', used: 0, waiting: 2 }])
  const [told] = await database.query<{
    busiest: { head_run: string; head_step: string; waiting: number }[]
  }>("select busiest from millrace.list_limits('blocked-order')")
  expect(told!.busiest).toMatchObject([{ key: 'a', head_run: first, head_step: 'only', waiting: 2 }])
  const [why] = await database.query<{ sentence: string }>('select sentence from millrace.why($1)', [second])
  expect(why!.sentence).toMatch(
    new RegExp(
      `holds it in strict order behind 'only' of run ${first}, which is tried again on .*; it is the next\\.$`,
    ),
  )
  await database.clock.advance('10s')
  await promote(database)
  const again = await claim(database, worker, 10)
  expect(runs(again)).toEqual([first])
  await fail(
    database,
    worker,
    again.map((task) => ({ task, error: { code: 'E', message: 'm', retryable: false } })),
  )
  expect(runs(await claim(database, worker, 10))).toEqual([second])
})

test('E8 where others may pass, a head that failed is tried again after those who became ready before its next try', async () => {
  const worker = await orderly('passed', passing)
  const [first, second, third] = await start('passed', ['a', 'a', 'a'])
  await fail(
    database,
    worker,
    (await claim(database, worker, 10)).map((task) => ({ task, delayMs: 1_000 })),
  )
  const held = await claim(database, worker, 10)
  expect(runs(held)).toEqual([second])
  await database.clock.advance('2s')
  await promote(database)
  expect(await claim(database, worker, 10)).toEqual([])
  await end(worker, held)
  expect(await workOff(worker)).toEqual([third, first])
})

test.each([
  ['blocks', blocking],
  ['passes', passing],
])(
  'E7 what a dead or drained worker held comes first again, where a head that failed %s',
  async (name, settings) => {
    const worker = await orderly(`lost-${name}`, settings)
    const dying = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 5 })
    const [first, second] = await start(`lost-${name}`, ['a', 'a'])
    const drained = await claim(database, dying, 10)
    await release(database, dying, drained)
    expect(runs(await claim(database, dying, 10))).toEqual([first])
    expect(await claim(database, worker, 10)).toEqual([])
    await database.clock.advance('1 minute')
    await sweep(database)
    const again = await claim(database, worker, 10)
    expect(runs(again)).toEqual([first])
    expect(again[0]!.attempt).toBe(3)
    expect(await claim(database, worker, 10)).toEqual([])
    await end(worker, again)
    expect(await workOff(worker)).toEqual([second])
  },
)

test('a head whose run is cancelled while it waits for its next try lets the next one begin', async () => {
  const worker = await orderly('cancelled')
  const [first, second, third] = await start('cancelled', ['a', 'a', 'a'])
  await fail(
    database,
    worker,
    (await claim(database, worker, 10)).map((task) => ({ task, delayMs: 60_000 })),
  )
  await cancelRun(database, first!)
  await database.clock.advance('2s')
  await sweep(database)
  const next = await claim(database, worker, 10)
  expect(runs(next)).toEqual([second])
  await end(worker, next)
  await cancelRun(database, third!)
  const [fourth] = await start('cancelled', ['a'])
  expect(runs(await claim(database, worker, 10))).toEqual([fourth])
})

test('what somebody has locked for a moment is not overtaken by what comes after it', async () => {
  const worker = await orderly('locked')
  const [first, second, beside] = await start('locked', ['a', 'a', 'b'])
  await one.query('begin')
  await one.query('select from millrace.task where run_id = $1 for update', [first])
  expect(runs(await claim(database, worker, 10))).toEqual([beside])
  expect(await claim(database, worker, 10)).toEqual([])
  await one.query('commit')
  expect(runs(await claim(database, worker, 10))).toEqual([first])
  expect(second).toBeDefined()
})

test('the order holds across pipelines and workers that serve different ones, and what nobody serves is not waited behind', async () => {
  const left = await workerOf(database, 'left', chain('only'))
  const right = await workerOf(database, 'right', chain('only'))
  await registerPipeline(database, 'unserved', chain('only'))
  await defineLimit(database, 'across', blocking, [{ slug: 'left' }, { slug: 'right' }, { slug: 'unserved' }])
  await start('unserved', ['a'])
  const [first] = await start('left', ['a'])
  const [second] = await start('right', ['a'])
  const [third] = await start('left', ['a'])
  expect(await claim(database, right, 10)).toEqual([])
  const begun = await claim(database, left, 10)
  expect(runs(begun)).toEqual([first])
  await end(left, begun)
  expect(await claim(database, left, 10)).toEqual([])
  const next = await claim(database, right, 10)
  expect(runs(next)).toEqual([second])
  await end(right, next)
  expect(runs(await claim(database, left, 10))).toEqual([third])
})

test('a strict order, another limit and turns hold together', async () => {
  const worker = await orderly('together')
  await defineLimit(database, 'together-slots', { kind: 'concurrency', capacity: 1 }, 'together')
  await defineLimit(database, 'together-turns', { kind: 'fairness', key: [['account']] }, 'together')
  const [a1, a2, b1, b2] = await start('together', ['a', 'a', 'b', 'b'])
  const begun = await workOff(worker)
  expect(begun.toSorted()).toEqual([a1, a2, b1, b2].toSorted())
  expect(begun.indexOf(a1!)).toBeLessThan(begun.indexOf(a2!))
  expect(begun.indexOf(b1!)).toBeLessThan(begun.indexOf(b2!))
})

test('a claim that has lined up the tasks of one order waits for no state of another one', async () => {
  const slugs = ['order-one', 'order-two']
  const worker = await workerOfAll(database, slugs, chain('only'))
  for (const slug of slugs) await defineLimit(database, slug, blocking, slug)
  for (const slug of slugs) await start(slug, ['a'])
  await workOff(worker)
  // The first tenth of a second: another one is first in the next.
  await database.clock.freeze(
    new Date(Math.ceil((await database.clock.now()).getTime() / 1_000) * 1_000 + 100),
  )
  const [first] = await start('order-one', ['a'])
  const [second] = await start('order-two', ['a'])
  await one.query('begin')
  await one.query(
    "select from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = 'order-two' for update of s",
  )
  await other.query("set lock_timeout = '2s'")
  const held = await claim(other, worker, 10)
  expect(runs(held)).toEqual([first])
  await one.query('rollback')
  expect(runs(await claim(other, worker, 10))).toEqual([second])
  await other.query('reset lock_timeout')
})

test('a stream of new keys under one order keeps no new key of another one from its turn', async () => {
  const slugs = ['stream-one', 'stream-two']
  const worker = await workerOfAll(database, slugs, chain('only'))
  for (const slug of slugs) await defineLimit(database, slug, blocking, slug)
  await database.clock.freeze()
  const [awaited] = await start('stream-two', ['a'])
  const begun: string[] = []
  for (let n = 0; n < 3; n++) {
    await start('stream-one', [`k${n}`])
    begun.push(...runs(await claim(database, worker, 10)))
    await database.clock.advance('100ms')
  }
  expect(begun).toHaveLength(4)
  expect(begun).toContain(awaited)
})

test('an executor outside keeps the order as well', async () => {
  await registerPipeline(database, 'outside', chain('only'))
  await defineLimit(database, 'outside-order', blocking, 'outside')
  const [first, second] = await start('outside', ['a', 'a'])
  const held = await startStep(database, first!, 'only', { leaseSeconds: 300 })
  expect(held).toMatchObject({ started: true })
  expect(await startStep(database, second!, 'only')).toMatchObject({ started: false, reason: 'limit' })
  await database.query("select millrace.complete_step($1, 'only', $2, 'null')", [first, held.attempt])
  expect(await startStep(database, second!, 'only')).toMatchObject({ started: true })
})

test('a rule that comes or goes while tasks wait leaves none behind', async () => {
  const worker = await workerOf(database, 'changed', chain('only'))
  await start('changed', ['a', 'a', 'b', 'a'])
  await defineLimit(database, 'changed-order', blocking, 'changed')
  const held = await claim(database, worker, 10)
  expect(held).toHaveLength(2)
  await database.query("select millrace.remove_limit('changed-order')")
  expect(await claim(database, worker, 10)).toHaveLength(2)
})

test('E7 E8 a storm of four workers that fail, die and are slow never begins two of a key at once, nor any before an earlier one', async () => {
  const worker = await orderly('storm')
  const workers = [worker, ...(await Promise.all([1, 2, 3].map(() => workerFor(database, 'storm'))))]
  const accounts = Array.from({ length: 7 }, (_, n) => `k${n}`)
  const placed = new Map<string, { account: string; place: number }>()
  const next = new Map<string, number>()
  for (let batch = 0; batch < 10; batch++) {
    const given = Array.from({ length: 20 }, (_, n) => accounts[(batch * 3 + n * n) % 7]!)
    for (const [n, run] of (await start('storm', given)).entries()) {
      const account = given[n]!
      const place = next.get(account) ?? 0
      next.set(account, place + 1)
      placed.set(run, { account, place })
    }
  }
  const underWay = new Map<string, string>()
  const ended = new Map<string, number>()
  const wrong: string[] = []
  let left = placed.size
  const begin = (run: string) => {
    const { account, place } = placed.get(run)!
    if (underWay.has(account)) wrong.push(`${account}: two at once`)
    if ((ended.get(account) ?? 0) !== place)
      wrong.push(`${account}: ${place} after ${ended.get(account) ?? 0}`)
    underWay.set(account, run)
  }
  await Promise.all(
    workers.map(async (mine, seat) => {
      const connection = await connect(database)
      for (let turn = 0; left > 0 && turn < 2_000 && wrong.length === 0; turn++) {
        const tasks = await claim(connection, mine, 1 + ((turn + seat) % 4))
        for (const task of tasks) begin(task.run_id)
        const failing = tasks.filter(({ attempt, task_id }) => attempt === 1 && Number(task_id) % 5 === 0)
        const given = tasks.filter(
          (task) => !failing.includes(task) && task.attempt < 3 && Number(task.task_id) % 7 === 0,
        )
        const done = tasks.filter((task) => !failing.includes(task) && !given.includes(task))
        for (const { run_id } of tasks) underWay.delete(placed.get(run_id)!.account)
        for (const { run_id } of done) {
          const { account, place } = placed.get(run_id)!
          ended.set(account, place + 1)
        }
        left -= done.length
        await fail(
          connection,
          mine,
          failing.map((task) => ({ task, delayMs: 0 })),
        )
        await release(connection, mine, given)
        await end(mine, done, connection)
      }
      await connection.end()
    }),
  )
  expect(wrong).toEqual([])
  expect(left).toBe(0)
}, 60_000)

const refused: [string, Record<string, unknown>][] = [
  ['an order of two at once', { ...blocking, capacity: 2 }],
  ['an order that rejects', { ...blocking, strategy: 'reject_newest' }],
  ['an order of another kind', { ...blocking, fifo: 'sometimes' }],
]

test.each(refused)('MR060 %s is refused when the rule is written', async (_, settings) => {
  await expect(defineLimit(database, 'refused', settings, 'ordered')).rejects.toMatchObject({ code: 'MR060' })
})
