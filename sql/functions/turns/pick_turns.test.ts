// Turns between keys: nobody's flood keeps another one's task from its turn, weights count, and nothing is ever out of reach.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, limitsOf, miscounted } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  type ClaimedTask,
  complete,
  connect,
  fail,
  newId,
  pauseRun,
  promote,
  release,
  resumeRun,
  runsOf,
  type Sql,
  startRuns,
  sweep,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
const byCustomer = { kind: 'fairness', key: [['customer']] }

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
  await database.clock.reset()
})

async function start(
  slug: string,
  customers: string[],
  priority = 5,
  sql: Sql = database,
): Promise<string[]> {
  const starts = customers.map((customer) => ({ id: newId(), slug, input: { customer }, priority }))
  for (let n = 0; n < starts.length; n += 1000) await startRuns(sql, starts.slice(n, n + 1000))
  return starts.map(({ id }) => id)
}
const many = (count: number, customer: string) => Array.from({ length: count }, () => customer)
const customerOf = ({ input }: ClaimedTask) => (input as { customer: string }).customer
const customers = (tasks: ClaimedTask[]) => tasks.map(customerOf).toSorted()

async function oneByOne(worker: Worker, count: number): Promise<string[]> {
  const begun: string[] = []
  for (let n = 0; n < count; n++) begun.push(...customers(await claim(database, worker, 1)))
  return begun
}

async function fairWorker(slug: string, settings: Record<string, unknown> = byCustomer): Promise<Worker> {
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, `${slug}-turns`, settings, slug)
  return worker
}

test('PP-D12 while one key has ten thousand tasks waiting, the task of another begins within the next two claims', async () => {
  const worker = await fairWorker('flood')
  await start('flood', many(10_000, 'whale'))
  expect(customers(await claim(database, worker, 5))).toEqual(many(5, 'whale'))
  await start('flood', ['small'])
  expect(await oneByOne(worker, 2)).toContain('small')
  await start('flood', ['late', 'later'])
  expect(customers(await claim(database, worker, 4))).toEqual(['late', 'later', 'whale', 'whale'])
  expect(await oneByOne(worker, 3)).toEqual(many(3, 'whale'))
})

test('E9 fifty small keys beside a flood have each of their tasks begun in the next rounds', async () => {
  const worker = await fairWorker('crowd')
  await start('crowd', many(2_000, 'whale'))
  const small = Array.from({ length: 50 }, (_, n) => `small-${n}`)
  await start('crowd', [...small, ...small])
  const first = customers(await claim(database, worker, 51))
  const second = customers(await claim(database, worker, 51))
  expect(first).toEqual([...small, 'whale'].toSorted())
  expect(second).toEqual([...small, 'whale'].toSorted())
  expect(await claim(database, worker, 20)).toHaveLength(20)
})

test('keys of weight three begin three tasks each turn, one by one as well as many at once', async () => {
  const weighted = { ...byCustomer, weights: { acme: 3 }, default_weight: 1 }
  const worker = await fairWorker('weighted', weighted)
  await start('weighted', [...many(100, 'acme'), ...many(100, 'beta'), ...many(100, 'coda')])
  const begun = await oneByOne(worker, 20)
  expect(begun).toEqual(Array.from({ length: 4 }, () => ['acme', 'acme', 'acme', 'beta', 'coda']).flat())
  const together = customers(await claim(database, worker, 50))
  expect(together.filter((customer) => customer === 'acme')).toHaveLength(30)
  expect(together.filter((customer) => customer === 'beta')).toHaveLength(10)
  await defineLimit(database, 'weighted-turns', { ...weighted, weights: {}, default_weight: 2 }, 'weighted')
  const alike = customers(await claim(database, worker, 60))
  expect(alike.filter((customer) => customer === 'acme')).toHaveLength(20)
})

test('priority comes before turns, and within a key who came first', async () => {
  const worker = await fairWorker('urgent')
  const usual = await start('urgent', ['acme', 'acme', 'beta'])
  const [urgent] = await start('urgent', ['acme'], 1)
  const begun: string[] = []
  for (let n = 0; n < 4; n++) begun.push((await claim(database, worker, 1))[0]!.run_id)
  expect(begun).toEqual([urgent, usual[0], usual[2], usual[1]])
})

test('the turns go on where they ended, whichever worker claims, and claims at once never share a task', async () => {
  const worker = await fairWorker('shared')
  const second = await workerFor(database, 'shared')
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  await start(
    'shared',
    names.flatMap((name) => many(10, name)),
  )
  expect(customers(await claim(database, worker, 2))).toEqual(['a', 'b'])
  expect(customers(await claim(database, second, 2))).toEqual(['c', 'd'])
  expect(customers(await claim(database, worker, 2))).toEqual(['e', 'f'])
  await one.query('begin')
  await other.query('begin')
  const held = await claim(one, worker, 3)
  const free = await claim(other, second, 3)
  await one.query('commit')
  await other.query('commit')
  expect(customers(held)).toEqual(['a', 'b', 'c'])
  expect(free).toHaveLength(3)
  const rest = await claim(database, worker, 100)
  const all = [...held, ...free, ...rest].map(({ task_id }) => task_id)
  expect(new Set(all).size).toBe(54)
})

test('what lies there already takes turns once the rule is defined, and what comes back does as well', async () => {
  const worker = await workerOf(database, 'late', chain('only'))
  const runs = await start('late', [...many(1_500, 'whale'), 'small'])
  await defineLimit(database, 'late-turns', byCustomer, 'late')
  const first = await claim(database, worker, 3)
  expect(customers(first)).toEqual(many(3, 'whale'))
  const next = await claim(database, worker, 3)
  expect(customers(next)).toContain('small')
  const small = next.filter((task) => customerOf(task) === 'small')
  await fail(database, worker, [{ task: small[0]!, delayMs: 0 }])
  await release(database, worker, first)
  const again = await claim(database, worker, 4)
  expect(customers(again)).toEqual(['small', ...many(3, 'whale')])
  const back = again.find((task) => customerOf(task) === 'small')!
  await fail(database, worker, [{ task: back, delayMs: 1_000 }])
  await database.clock.advance('2s')
  await promote(database)
  expect(customers(await claim(database, worker, 2))).toContain('small')
  await pauseRun(database, runs[10]!)
  await resumeRun(database, runs[10]!)
  await promote(database)
  let left = 0
  for (;;) {
    const tasks = await claim(database, worker, 1_000)
    if (tasks.length === 0) break
    left += tasks.length
  }
  expect(left).toBe(1_500 - 3 - 2 - 1)
})

test('a start that was under way when the rule came or went is claimed like all others', async () => {
  const worker = await fairWorker('between')
  await one.query('begin')
  await start('between', many(3, 'early'), 5, one)
  await database.query("select millrace.remove_limit('between-turns')")
  await sweep(database)
  await start('between', many(2, 'plain'))
  expect(customers(await claim(database, worker, 10))).toEqual(many(2, 'plain'))
  await sweep(database)
  await one.query('commit')
  await sweep(database)
  expect(customers(await claim(database, worker, 10))).toEqual(many(3, 'early'))
  await one.query('begin')
  await start('between', many(3, 'unkeyed'), 5, one)
  await defineLimit(database, 'between-turns', byCustomer, 'between')
  await start('between', ['keyed'])
  await one.query('commit')
  expect(customers(await claim(database, worker, 10))).toEqual(['keyed', ...many(3, 'unkeyed')])
})

test('once the rule is removed what has a key and what has none is claimed, and hand-overs begin again', async () => {
  const worker = await fairWorker('removed')
  await start('removed', [...many(20, 'a'), ...many(20, 'b')])
  await database.query("select millrace.remove_limit('removed-turns')")
  await start('removed', many(5, 'c'))
  const begun: string[] = []
  for (;;) {
    const tasks = await claim(database, worker, 7)
    if (tasks.length === 0) break
    begun.push(...customers(tasks))
    await complete(
      database,
      worker,
      tasks.map((task) => ({ task })),
    )
  }
  expect(begun).toHaveLength(45)
  const handlers = () =>
    database.query('select 1 from millrace.turn_handler where handler = any ($1)', [worker.handlers])
  expect(await handlers()).toHaveLength(1)
  await sweep(database)
  expect(await handlers()).toEqual([])
})

test('turns and a limit of slots go together: those who wait for a slot take turns too', async () => {
  const worker = await fairWorker('both')
  await defineLimit(database, 'slots', { kind: 'concurrency', capacity: 2 }, 'both')
  await start('both', many(50, 'whale'))
  let held = await claim(database, worker, 10)
  expect(held).toHaveLength(2)
  await start('both', ['small', 'tiny'])
  await claim(database, worker, 10)
  expect(await limitsOf(database, 'slots')).toEqual([{ key: '', used: 2, waiting: 50 }])
  const begun: string[] = []
  for (let n = 0; n < 2; n++) {
    await complete(
      database,
      worker,
      held.map((task) => ({ task })),
    )
    held = await claim(database, worker, 10)
    expect(held).toHaveLength(2)
    begun.push(...customers(held))
  }
  expect(begun).toEqual(expect.arrayContaining(['small', 'tiny']))
})

test('why says whose turn it is, and the list of limits how many wait by key', async () => {
  const worker = await fairWorker('told', { ...byCustomer, weights: { acme: 3 } })
  const [first, , , second] = await start('told', ['acme', 'acme', 'beta', 'acme', 'coda'])
  expect(runsOf(await claim(database, worker, 1))).toEqual([first])
  const [told] = await database.query<{ reason: string; sentence: string }>(
    'select reason, sentence from millrace.why($1)',
    [second],
  )
  expect(told!.reason).toBe('queued')
  expect(told!.sentence).toMatch(
    /takes turns by limit 'told-turns': 1 of 'acme' come before it, at 3 each turn, and the turns of 2 other keys come first, that of 'beta' next\.$/,
  )
  const [limit] = await database.query<{ busiest: object[] }>(
    "select busiest from millrace.list_limits('told-turns')",
  )
  expect(limit!.busiest).toMatchObject([
    { key: 'acme', waiting: 2, weight: 3 },
    { key: 'beta', waiting: 1, weight: 1 },
    { key: 'coda', waiting: 1, weight: 1 },
  ])
})

test('a key that is limited gives its turn to the others', async () => {
  const worker = await fairWorker('limited')
  await defineLimit(database, 'each', { kind: 'concurrency', capacity: 1, key: [['customer']] }, 'limited')
  await start('limited', [...many(500, 'whale'), 'b', 'c', 'b'])
  expect(customers(await claim(database, worker, 10))).toEqual(['b', 'c', 'whale'])
  expect(await claim(database, worker, 10)).toEqual([])
})

test('a storm of claims, failures and completions by four workers begins every task, each in one place at a time', async () => {
  const worker = await fairWorker('storm')
  await defineLimit(
    database,
    'storm-slots',
    { kind: 'concurrency', capacity: 7, key: [['customer']] },
    'storm',
  )
  const workers = [worker, ...(await Promise.all([1, 2, 3].map(() => workerFor(database, 'storm'))))]
  await start(
    'storm',
    Array.from({ length: 400 }, (_, n) => (n % 3 === 0 ? `c${n % 20}` : 'whale')),
  )
  let ended = 0
  await Promise.all(
    workers.map(async (mine, place) => {
      const connection = await connect(database)
      let turn = 0
      while (ended < 400 && turn < 1_000) {
        const tasks = await claim(connection, mine, 1 + ((turn++ + place) % 9))
        const failing = tasks.filter(({ attempt, task_id }) => attempt === 1 && Number(task_id) % 10 === 0)
        await fail(
          connection,
          mine,
          failing.map((task) => ({ task, delayMs: 0 })),
        )
        const done = tasks.filter((task) => !failing.includes(task))
        await complete(
          connection,
          mine,
          done.map((task) => ({ task })),
        )
        ended += done.length
      }
      await connection.end()
    }),
  )
  expect(ended).toBe(400)
})

const refused: [string, Record<string, unknown>, Record<string, string>[], RegExp][] = [
  ['turns without a key', { kind: 'fairness' }, [{ slug: 'flood' }], /has no key/],
  ['a weight of none', { ...byCustomer, weights: { acme: 0 } }, [{ slug: 'flood' }], /weight of 'acme'/],
  ['weights that are none', { ...byCustomer, weights: [1] }, [{ slug: 'flood' }], /weights of limit/],
  ['turns of single steps', byCustomer, [{ slug: 'flood', step: 'only' }], /single steps/],
  ['a second order of the same tasks', byCustomer, [{ slug: 'flood' }], /orders already/],
]

test.each(refused)('MR060 %s is refused when the rule is written', async (_, settings, targets, message) => {
  await expect(defineLimit(database, 'refused', settings, targets)).rejects.toMatchObject({
    code: 'MR060',
    message: expect.stringMatching(message) as string,
  })
})
