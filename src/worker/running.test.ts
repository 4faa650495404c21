// Runs from their start to their end: chains, maps, joins, conditions, retries, timeouts, cancels, hand-overs.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { Arrival, asOther, atRest, countStatements, openMillrace, seededDraws } from '../../test/millrace.ts'
import { attemptsOf, outcomesOf, runOf } from '../../test/protocol.ts'
import { PermanentError } from '../core/errors.ts'
import { pausePipeline } from '../db/pipelines.ts'
import { poolCaller } from '../db/call.ts'
import { pipeline } from '../sdk/pipeline.ts'

const { database, opened } = await openMillrace()

const caller = () => poolCaller(database.pool, { prepare: false, database: 'test' })
const ended = (id: string) =>
  until(
    `run ${id} has ended`,
    async () => (await runOf(database, id)).state.match(/^(completed|failed|cancelled)$/) !== null,
  )

test('a chain runs to its end, each step reads what those before it gave, and the steps after the first are not claimed again', async () => {
  const sum = pipeline('sum', { input: z.object({ n: z.number() }) })
    .step('double', ({ input }) => input.n * 2)
    .step('add', ({ steps, input }) => steps.double + input.n)
    .step('tell', ({ steps }) => ({ text: `${steps.double} ${steps.add}` }))
  await opened.worker({ pipelines: [sum] })
  const client = opened.client()
  const statements = countStatements()
  const { run } = await client.start(sum, { n: 7 })
  const output = await client.run<typeof sum>(run!.id).result()
  statements.stop()
  expect(output).toEqual({ text: '14 21' })
  expect(statements.sent.filter((name) => name === 'millrace_complete_tasks')).toHaveLength(3)
  expect(statements.sent.filter((name) => name === 'millrace_read_outputs')).toHaveLength(0)
  expect(await outcomesOf(database, run!.id)).toHaveLength(3)
})

test('a join waits for all its branches, a map gives each task its item, and its list keeps the order of the items', async () => {
  const spread = pipeline('spread')
    .step('list', () => [{ name: 'a' }, { name: 'b' }, { name: 'c' }])
    .map('shout', { over: 'list' }, ({ item, index, idempotencyKey }) => ({
      shouted: item.name.toUpperCase(),
      index,
      idempotencyKey,
    }))
    .step('aside', { after: 'list' }, ({ steps }) => steps.list.length)
    .step('join', { after: ['shout', 'aside'] }, ({ steps }) => ({
      all: steps.shout.map((item) => item.shouted),
      aside: steps.aside,
    }))
  await opened.worker({ pipelines: [spread] })
  const client = opened.client()
  const { run } = await client.start(spread, null)
  expect(await client.run<typeof spread>(run!.id).result()).toEqual({ all: ['A', 'B', 'C'], aside: 3 })
  const items = await attemptsOf(database, run!.id, 'shout')
  expect(items).toHaveLength(3)
})

test('a map over an empty list completes with an empty list', async () => {
  const empty = pipeline('empty')
    .step('list', (): string[] => [])
    .map('each', { over: 'list' }, ({ item }) => item)
    .step('count', ({ steps }) => steps.each.length)
  await opened.worker({ pipelines: [empty] })
  const client = opened.client()
  const { run } = await client.start(empty, null)
  expect(await client.run<typeof empty>(run!.id).result()).toBe(0)
})

test('a step whose condition says no is skipped, those after it see undefined, and a condition that throws fails the attempt', async () => {
  const branching = pipeline('branching', { input: z.object({ mail: z.boolean() }) })
    .step('look', ({ input }) => input.mail)
    .step('mail', { when: ({ steps }) => steps.look }, () => 'sent')
    .step('tell', { after: 'mail' }, ({ steps }) => ({ mailed: steps.mail ?? 'not at all' }))
  const broken = pipeline('broken-condition').step(
    'never',
    {
      retry: { attempts: 1 },
      when: (): boolean => {
        throw new Error('no idea')
      },
    },
    () => 1,
  )
  await opened.worker({ pipelines: [branching, broken] })
  const client = opened.client()
  const no = await client.start(branching, { mail: false })
  expect(await client.run(no.run!.id).result()).toEqual({ mailed: 'not at all' })
  const yes = await client.start(branching, { mail: true })
  expect(await client.run(yes.run!.id).result()).toEqual({ mailed: 'sent' })
  expect((await attemptsOf(database, no.run!.id, 'mail'))[0]).toMatchObject({ outcome: 'skipped' })
  const bad = await client.start(broken, null)
  await expect(client.run(bad.run!.id).result()).rejects.toMatchObject({
    code: 'run_failed',
    message: expect.stringContaining('no idea'),
  })
})

test('JQ-6 a failed attempt is tried again after a delay with full jitter, drawn from the given source, and the last becomes a dead letter in place', async () => {
  const attempts: number[] = []
  const flaky = pipeline('flaky', { retry: { attempts: 3, initial: '10s', factor: 3 } }).step(
    'try',
    ({ attempt }) => {
      attempts.push(attempt)
      throw new Error(`no ${attempt}`)
    },
  )
  await database.clock.freeze()
  const draws = seededDraws('jitter')
  const worker = await opened.worker({
    pipelines: [flaky],
    random: seededDraws('jitter'),
    heartbeatMs: 3_000,
  })
  const client = opened.client()
  const { run } = await client.start(flaky, null)
  const drawn = new Set(Array.from({ length: 200 }, draws))
  for (const mean of [10_000, 30_000]) {
    await until(
      'the attempt has failed',
      async () =>
        (await database.query('select 1 from millrace.waiting_task where run_id = $1', [run!.id])).length ===
        1,
    )
    const [waiting] = await database.query<{ ms: number }>(
      'select extract(epoch from available_at - millrace.now())::float8 * 1000 as ms from millrace.waiting_task where run_id = $1',
      [run!.id],
    )
    const draw = waiting!.ms / (2 * mean)
    expect([...drawn].some((known) => Math.abs(known - draw) < 1e-4)).toBe(true)
    await worker.tick()
    expect(attempts).toHaveLength(mean === 10_000 ? 1 : 2)
    await database.clock.advance(waiting!.ms + 1)
    await worker.tick()
  }
  await ended(run!.id)
  expect(attempts).toEqual([1, 2, 3])
  expect(
    await database.query(
      "select step, error ->> 'message' as message from millrace.dead_letter where run_id = $1",
      [run!.id],
    ),
  ).toEqual([{ step: 'try', message: 'no 3' }])
})

test('JQ-20 a PermanentError is not retried, and its class stands in the account', async () => {
  const refused = pipeline('refused').step('call', () => {
    throw new PermanentError('The address does not exist.', { code: 'no_such_address' })
  })
  await opened.worker({ pipelines: [refused] })
  const client = opened.client()
  const { run } = await client.start(refused, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const attempts = await database.query('select outcome, error from millrace.attempt where run_id = $1', [
    run!.id,
  ])
  expect(attempts).toEqual([
    {
      outcome: 'failed',
      error: { code: 'no_such_address', message: 'The address does not exist.', retryable: false },
    },
  ])
})

test('FO-4 PP-C4 a step that takes longer than its timeout fails with that reason, and its signal fires', async () => {
  const aborted = new Arrival<unknown>()
  const slow = pipeline('slow', { retry: { attempts: 1 } }).step('hang', { timeout: 30 }, ({ abort }) => {
    abort.addEventListener('abort', () => aborted.arrive(abort.reason))
    return new Promise(() => {})
  })
  const stuck = pipeline('stuck-condition', { retry: { attempts: 1 } }).step(
    'hang',
    { timeout: 30, when: () => new Promise<boolean>(() => {}) },
    () => 1,
  )
  await opened.worker({ pipelines: [slow, stuck] })
  const client = opened.client()
  const { run } = await client.start(slow, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'attempt_timeout' } },
  })
  expect(await aborted.come).toMatchObject({ code: 'attempt_timeout' })
  const condition = await client.start(stuck, null)
  await expect(client.run(condition.run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'attempt_timeout' } },
  })
})

test('FO-4 E6 a cancel reaches a running handler by notification, and its late success does not count', async () => {
  const began = new Arrival()
  const aborted = new Arrival<unknown>()
  const finish = new Arrival()
  const long = pipeline('long')
    .step('work', async ({ abort }) => {
      began.arrive()
      abort.addEventListener('abort', () => aborted.arrive(abort.reason))
      await finish.come
      return 'too late'
    })
    .step('after', () => 'never')
  await opened.worker({ pipelines: [long], leaseSeconds: 3_600, heartbeatMs: 60_000 })
  const client = opened.client()
  const { run } = await client.start(long, null)
  await began.come
  expect(await client.run(run!.id).cancel('not wanted')).toBe(true)
  expect(await aborted.come).toMatchObject({ message: 'the run was cancelled' })
  finish.arrive()
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_cancelled' })
  await until('the attempt is recorded', async () => (await attemptsOf(database, run!.id)).length === 1)
  expect((await runOf(database, run!.id)).state).toBe('cancelled')
  expect(await database.query('select 1 from millrace.task where run_id = $1', [run!.id])).toEqual([])
  expect(await attemptsOf(database, run!.id, 'after')).toEqual([])
})

test('a run that a sibling fails aborts the others, and what they give is still recorded', async () => {
  const began = new Arrival()
  const forked = pipeline('forked', { retry: { attempts: 1 } })
    .step('begin', () => 1)
    .step('good', { after: 'begin' }, async ({ abort }) => {
      began.arrive()
      await new Promise((resolve) => abort.addEventListener('abort', resolve))
      return 'done all the same'
    })
    .step('bad', { after: 'begin' }, async () => {
      await began.come
      throw new Error('bad luck')
    })
  await opened.worker({ pipelines: [forked], leaseSeconds: 3_600, heartbeatMs: 60_000 })
  const client = opened.client()
  const { run } = await client.start(forked, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    code: 'run_failed',
    message: expect.stringContaining("in step 'bad'"),
  })
  await until('both are recorded', async () => (await attemptsOf(database, run!.id)).length === 3)
  const outcomes = await database.query(
    'select step, outcome, output from millrace.attempt where run_id = $1 order by step',
    [run!.id],
  )
  expect(outcomes).toEqual([
    { step: 'bad', outcome: 'failed', output: null },
    { step: 'begin', outcome: 'completed', output: 1 },
    { step: 'good', outcome: 'completed', output: 'done all the same' },
  ])
  expect(await database.query('select 1 from millrace.task where run_id = $1', [run!.id])).toEqual([])
})

test('A14 H1 H3 PP-C8 an output that JSON in Postgres cannot keep fails the run with the path of the bad spot', async () => {
  const circle: Record<string, unknown> = { list: [] }
  circle['self'] = circle
  const outputs: Record<string, () => unknown> = {
    nul: () => ({ text: 'a\u0000b' }),
    surrogate: () => ({ text: '\ud800' }),
    bigint: () => ({ n: 1n }),
    circle: () => circle,
    infinite: () => [1, Number.POSITIVE_INFINITY],
    huge: () => 'x'.repeat(2_000_000),
    symbol: () => Symbol('s'),
    function: () => ({ call: () => 1 }),
    reader: () => ({
      get broken() {
        throw new Error('unreadable')
      },
    }),
    deep: () => Array.from({ length: 200 }).reduce<unknown>((inner) => [inner], 1),
  }
  const odd = pipeline('odd', { input: z.object({ kind: z.string() }), retry: { attempts: 1 } }).step(
    'give',
    ({ input }) => outputs[input.kind]!(),
  )
  await opened.worker({ pipelines: [odd] })
  const client = opened.client()
  const kinds = Object.keys(outputs)
  const answers = await client.startMany(
    odd,
    kinds.map((kind) => ({ kind })),
  )
  const ends = await Promise.allSettled(answers.map(({ run }) => client.run(run!.id).result()))
  for (const [index, end] of ends.entries()) {
    expect(end.status, kinds[index]).toBe('rejected')
    expect(end, kinds[index]).toMatchObject({
      reason: {
        code: 'run_failed',
        fields: { error: { code: expect.stringMatching(/^json_/), retryable: false } },
      },
    })
  }
})

test('A14 PP-C8 a handler that gives nothing completes with null, and one that throws nothing at all fails', async () => {
  const nothing = pipeline('nothing').step('void', () => {})
  const thrown = pipeline('thrown', { retry: { attempts: 1 } }).step('void', () => {
    throw undefined
  })
  await opened.worker({ pipelines: [nothing, thrown] })
  const client = opened.client()
  const quiet = await client.start(nothing, null)
  expect(await client.run(quiet.run!.id).result()).toBeNull()
  const loud = await client.start(thrown, null)
  await expect(client.run(loud.run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
})

test('the log lines of a handler are in the account when its run has ended, whatever it returned right after', async () => {
  const talking = pipeline('talking')
    .step('say', ({ log }) => {
      log('first', { n: 1 })
      log('second')
    })
    .step('write', { tx: true }, ({ log }) => log('inside a transaction'))
  await opened.worker({ pipelines: [talking] })
  const client = opened.client()
  const { run } = await client.start(talking, null)
  await client.run(run!.id).result()
  const lines = await database.query(
    "select detail ->> 'message' as message from millrace.event where run_id = $1 order by id",
    [run!.id],
  )
  expect(lines.map(({ message }) => message)).toEqual(['first', 'second', 'inside a transaction'])
})

test('a begun run goes on before new ones begin, unless something more urgent is ready', async () => {
  const order: string[] = []
  const holds = new Map([
    ['a', new Arrival()],
    ['b', new Arrival()],
  ])
  const steps = pipeline('ordered', { input: z.object({ name: z.string() }) })
    .step('first', async ({ input }) => {
      order.push(`${input.name} first`)
      await holds.get(input.name)?.come
    })
    .step('second', ({ input }) => void order.push(`${input.name} second`))
  await opened.worker({ pipelines: [steps], slots: 1 })
  const client = opened.client()
  const a = await client.start(steps, { name: 'a' })
  const b = await client.start(steps, { name: 'b' })
  holds.get('a')!.arrive()
  await client.run(a.run!.id).result()
  await until('b has begun', async () => order.includes('b first'))
  const urgent = await client.start(steps, { name: 'urgent' }, { priority: 1 })
  holds.get('b')!.arrive()
  await Promise.all([b, urgent].map(({ run }) => client.run(run!.id).result()))
  expect(order).toEqual(['a first', 'a second', 'b first', 'urgent first', 'urgent second', 'b second'])
})

test('a start in the process of an idle worker is one statement, without a notification, and the handler gets the JSON form of the input', async () => {
  const seen: unknown[] = []
  const dated = pipeline('dated', {
    input: z.object({ at: z.date(), region: z.string() }),
    key: ({ region }) => region,
  }).step('look', ({ input, run }) => {
    seen.push(input.at, run.key, run.headers)
    return input
  })
  const statements = countStatements()
  await opened.worker({ pipelines: [dated], leaseSeconds: 3_600, heartbeatMs: 60_000 })
  const client = opened.client()
  const listening = await database.pool.connect()
  const notified: string[] = []
  listening.on('notification', ({ channel }) => notified.push(channel))
  await listening.query('listen millrace_wake')
  const first = await client.start(dated, { at: new Date(0), region: 'north' })
  await client.run(first.run!.id).result()
  await atRest(statements)
  statements.sent.length = 0
  const given = { at: new Date(0), region: 'south' }
  const { run } = await client.start(dated, given, { headers: { trace: 't' } })
  const sentByStart = statements.sent.filter((name) => name.startsWith('millrace_'))
  expect(await client.run(run!.id).result()).toEqual({ at: '1970-01-01T00:00:00.000Z', region: 'south' })
  statements.stop()
  expect(sentByStart).toEqual(['millrace_start_runs'])
  expect(statements.sent).not.toContain('millrace_claim_tasks')
  expect(seen.slice(3)).toEqual(['1970-01-01T00:00:00.000Z', 'south', { trace: 't' }])
  await listening.query('select 1')
  expect(notified).toEqual([])
  listening.release(true)
})

test('nothing is handed over while the pipeline is paused, something claimable stands ahead, or another version is started', async () => {
  const began: string[] = []
  const named = z.object({ name: z.string() })
  const one = pipeline('handed', { input: named }).step('do', ({ input }) => void began.push(input.name))
  const changed = pipeline('handed', { input: named }).step(
    'do',
    { timeout: '1m' },
    ({ input }) => void began.push(input.name),
  )
  await opened.worker({ pipelines: [one] })
  const client = opened.client()
  const other = opened.client({ database: asOther(database.url) })

  const foreign = await client.start(changed, { name: 'other version' })
  expect(await runOf(database, foreign.run!.id)).toMatchObject({ state: 'pending' })

  await pausePipeline(caller(), 'handed', 'a test')
  expect(await client.start(one, { name: 'paused' })).toMatchObject({
    created: false,
    reason: 'paused',
    run: null,
  })
  await client.resumePipeline('handed')

  const ahead = await other.startMany(one, [{ name: 'ahead' }])
  const behind = await client.start(one, { name: 'behind' })
  await Promise.all([ahead[0]!, behind].map(({ run }) => client.run(run!.id).result()))
  expect(began.toSorted()).toEqual(['ahead', 'behind'])
})
