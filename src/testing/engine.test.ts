// The test engine: time that passes when it is told, steps that are doubled, faults that come on order, accounts that repeat.
import { afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createEngine } from '../../test/engine.ts'
import { connect } from '../sdk/client.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { limit } from '../sdk/limit.ts'
import type { TestEngine } from './engine.ts'

const day = 86_400_000

const engines: TestEngine[] = []

/** The first one of a process also connects to the server. */
beforeAll(async () => {
  await (await createEngine([])).close()
})

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})

async function engineFor(
  pipelines: Parameters<typeof createEngine>[0],
  options?: Parameters<typeof createEngine>[1],
): Promise<TestEngine> {
  const engine = await createEngine(pipelines, options)
  engines.push(engine)
  return engine
}

const greeting = pipeline('greeting', { input: z.object({ name: z.string() }) })
  .step('find', ({ input }) => ({ name: input.name.toUpperCase() }))
  .step('greet', ({ steps }) => `Hello, ${steps.find.name}!`)

test('a run does nothing until it is told to, and gives its result then', async () => {
  const engine = await engineFor([greeting])
  const run = await engine.start(greeting, { name: 'Ada' })
  expect(await engine.account(run)).toContain('greeting, version 1: pending')
  const output: string = await engine.result(run)
  expect(output).toBe('Hello, ADA!')
})

test('an engine shares nothing with another one', async () => {
  const one = await engineFor([greeting])
  await one.query('create table mine (n integer)')
  const other = await engineFor([greeting])
  await expect(other.query('select from mine')).rejects.toThrow('"mine" does not exist')
})

test('a pipeline of 30 days takes less than a second', async () => {
  const begunAt: number[] = []
  const dunning = pipeline('dunning', { input: z.object({ invoice: z.int() }) })
    .step('remind', { retry: { attempts: 10, initial: '1d', factor: 1, max: '1d' } }, ({ attempt }) => {
      begunAt.push(engine.now().getTime())
      if (attempt < 10) throw new Error('no answer yet')
      return attempt
    })
    .step('collect', { retry: { attempts: 3, initial: '10d', factor: 1, max: '10d' } }, ({ attempt }) => {
      begunAt.push(engine.now().getTime())
      if (attempt < 3) throw new Error('not paid')
      return 'paid'
    })
  const engine = await engineFor([dunning])
  // What else the machine does is no matter of the engine's: the quickest of several times is its own.
  let quickestMs = Number.POSITIVE_INFINITY
  for (let time = 0; time < 5 && quickestMs >= 1_000; time++) {
    const began = engine.now().getTime()
    const begun = performance.now()
    const availableAt = new Date(began + day)
    const run = await engine.start(dunning, { invoice: 7 }, { availableAt })
    await engine.runUntilIdle({ advanceTime: true })
    expect(await engine.result(run)).toBe('paid')
    quickestMs = Math.min(quickestMs, performance.now() - begun)
    expect(begunAt.splice(0).map((at) => (at - began) / day)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 20, 30,
    ])
  }
  expect(quickestMs).toBeLessThan(1_000)
})

const hiring = pipeline('hiring', { input: z.object({ candidate: z.string() }) }).step(
  'decide',
  async ({ input, durable }) => {
    const asked = await durable.now()
    await durable.sleep('14d')
    const papers = await durable.signal('papers', { timeout: '7d' })
    const { state, comment } = await durable.approval('offer', {
      title: `Hire ${input.candidate}?`,
      people: ['Grace'],
      remind: '2d',
      expires: '9d',
      otherwise: 'reject',
    })
    const days = ((await durable.now()).getTime() - asked.getTime()) / day
    return { papers: papers.timedOut ? 'none' : 'came', state, comment, days }
  },
)

test('a step that sleeps and waits for signals and people is tested in its own time', async () => {
  const engine = await engineFor([hiring])
  const run = await engine.start(hiring, { candidate: 'Ada' })
  await engine.advance('15d')
  await expect(engine.approve(run)).rejects.toMatchObject({ code: 'approval_unknown' })
  await expect(engine.result(run)).rejects.toMatchObject({ code: 'test_run_unended' })
  await engine.signal('papers', { pages: 3 }, { run: run.id })
  expect(await engine.approve(run, { comment: 'gladly' })).toMatchObject({ state: 'approved' })
  expect(await engine.result(run)).toEqual({ papers: 'came', state: 'approved', comment: 'gladly', days: 15 })
})

test('with the time advancing, waits run into their timeouts, and people are reminded', async () => {
  const engine = await engineFor([hiring])
  const run = await engine.start(hiring, { candidate: 'Bob' })
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(run)).toMatchObject({ papers: 'none', state: 'rejected', days: 30 })
  const account = await engine.account(run)
  expect(account).toMatch(/01-24 .*a reminder/)
  expect(account).toContain('2000-01-15 at 00:00:00.000 UTC')
})

const pair = pipeline('pair').step('wait', async ({ durable }) => {
  const answers = await Promise.all(
    ['left', 'right'].map((name) => durable.signal(name, { timeout: '2d', as: name })),
  )
  return answers.map(({ timedOut }) => (timedOut ? 'none' : 'came'))
})

test('a step that waits for all of several signals goes on with the last of them, or with those that came in time', async () => {
  const engine = await engineFor([pair])
  const whole = await engine.start(pair, null)
  const half = await engine.start(pair, null)
  await engine.runUntilIdle()
  for (const run of [whole, half]) await engine.signal('right', null, { run: run.id })
  await engine.advance('1d')
  await expect(engine.result(whole)).rejects.toMatchObject({ code: 'test_run_unended' })
  await engine.signal('left', null, { run: whole.id })
  expect(await engine.result(whole)).toEqual(['came', 'came'])
  await engine.advance('1d')
  expect(await engine.result(half)).toEqual(['none', 'came'])
})

test('a decision by somebody who may not is refused, as it is anywhere', async () => {
  const engine = await engineFor([hiring])
  const run = await engine.start(hiring, { candidate: 'Cy' })
  await engine.advance('14d')
  await engine.signal('papers', null)
  await expect(engine.reject(run, { actor: 'Linus' })).rejects.toMatchObject({ code: 'approval_forbidden' })
  expect(await engine.reject(run, { name: 'offer', actor: 'Grace' })).toMatchObject({ state: 'rejected' })
})

test('runs that a run calls begin at the time of the engine, and are done in one go', async () => {
  const square = pipeline('square', { input: z.int() }).step('only', async ({ input, durable }) => {
    await durable.sleep('20d')
    return input * input
  })
  const sum = pipeline('sum').step('all', async ({ durable }) => {
    await durable.sleep('10d')
    const ended = await durable.callMany(square, [1, 2, 3])
    return ended.map((one) => (one.state === 'completed' ? one.output : null))
  })
  const engine = await engineFor([sum, square])
  const run = await engine.start(sum, null)
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(run)).toEqual([1, 4, 9])
})

test('what a limit keeps waiting because a handler asked for quiet goes on in the time of the engine', async () => {
  const gateway = limit('gateway', { concurrency: 1 })
  const calling = pipeline('calling', { input: z.int(), limits: [gateway] }).step(
    'call',
    async ({ input, backOff }) => {
      if (input === 1) await backOff('3h')
      return engine.now().getTime() - began
    },
  )
  const engine = await engineFor([calling])
  const began = engine.now().getTime()
  const first = await engine.start(calling, 1)
  const second = await engine.start(calling, 2)
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(first)).toBe(0)
  expect(await engine.result(second)).toBeGreaterThanOrEqual(3 * 3_600_000)
})

test('advance lets what becomes due in between run at its own time, and stops where it was told', async () => {
  const at: number[] = []
  const failing = pipeline('failing').step(
    'try',
    { retry: { attempts: 9, initial: '10h', factor: 1, max: '10h' } },
    () => {
      at.push((engine.now().getTime() - began) / 3_600_000)
      throw new Error('not yet')
    },
  )
  const engine = await engineFor([failing])
  const began = engine.now().getTime()
  await engine.start(failing, null)
  await engine.advance('1d')
  expect(at).toEqual([0, 10, 20])
  expect(engine.now().getTime() - began).toBe(day)
  expect((await engine.query<{ now: Date }>('select millrace.now() as now'))[0]?.now).toEqual(engine.now())
  await engine.runUntilIdle({ advanceTime: '6h' })
  expect(at).toEqual([0, 10, 20, 30])
  expect(engine.now().getTime() - began).toBe(30 * 3_600_000)
})

test('the result of a run that waits is refused with what it waits for', async () => {
  const late = pipeline('late').step('only', () => 1)
  const engine = await engineFor([late])
  const run = await engine.start(late, null, { availableAt: new Date(engine.now().getTime() + day) })
  await expect(engine.result(run)).rejects.toMatchObject({
    code: 'test_run_unended',
    message: expect.stringContaining('only: '),
  })
  await engine.advance('1d')
  expect(await engine.result(run)).toBe(1)
})

test('a mocked step gives what the test says, and its calls are known', async () => {
  const engine = await engineFor([greeting])
  const find = engine.mock(greeting, 'find', ({ attempt }) => {
    if (attempt === 1) throw new Error('the directory is down')
    return { name: 'nobody' }
  })
  const run = await engine.start(greeting, { name: 'Ada' })
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(run)).toBe('Hello, nobody!')
  expect(find.calls.map(({ attempt, input }) => [attempt, input])).toEqual([
    [1, { name: 'Ada' }],
    [2, { name: 'Ada' }],
  ])
  find.restore()
  expect(await engine.result(await engine.start(greeting, { name: 'Bob' }))).toBe('Hello, BOB!')
})

test('a step that Millrace brings is mocked as any other', async () => {
  const paying = pipeline('paying')
    .sleep('cool-off', '30d')
    .http('pay', { url: 'https://bank.example/pay', secret: 'BANK_SECRET', timeout: '1h' })
    .step('end', ({ steps }) => steps.pay)
  const engine = await engineFor([paying])
  const pay = engine.mock(paying, 'pay', () => ({ paid: true }))
  const run = await engine.start(paying, null)
  await engine.advance('29d')
  expect(pay.calls).toEqual([])
  await engine.advance('1d')
  expect(await engine.result(run)).toEqual({ paid: true })
})

test('what undoes a step is mocked under its own name, is tried again in the time of the engine, and dies as any other', async () => {
  const refunds: unknown[] = []
  const paid = pipeline('paid')
    .step('charge', () => ({ id: 7 }))
    .undo({ retry: { attempts: 3, initial: '1d', factor: 1 } }, ({ output }) => void refunds.push(output))
    .step('ship', { retry: { attempts: 1 } }, (): string => {
      throw new Error('out of stock')
    })
    .onFailure(({ error }) => void refunds.push(error.step))
  const engine = await engineFor([paid])
  const undo = engine.mock(paid, 'undo-charge', (context, own) => {
    if (context.attempt === 1) throw new Error('the bank is closed')
    return own(context)
  })
  const death = engine.crashAfter('on-failure')
  const run = await engine.start(paid, null)
  await engine.runUntilIdle({ advanceTime: true })
  await expect(engine.result(run)).rejects.toMatchObject({ code: 'run_failed' })
  expect(undo.calls.map(({ attempt }) => attempt)).toEqual([1, 2])
  expect(death.fired).toBe(true)
  expect(refunds).toEqual([{ id: 7 }, 'ship', 'ship'])
})

test('PP-C10 a mock or a fault for a step that nobody has is an error that names those there are', async () => {
  const engine = await engineFor([greeting])
  expect(() => engine.mock(greeting, 'serch', () => 1)).toThrow('it has find, greet')
  expect(() => engine.mock('hello', 'find', () => 1)).toThrow("no pipeline 'hello': it has 'greeting'")
  expect(() => engine.crashAfter('serch')).toThrow("a step 'serch'")
})

const transfer = pipeline('transfer')
  .step('withdraw', ({ attempt }) => attempt)
  .step('book', { tx: true }, async ({ tx, run, attempt }) => {
    await tx.query('insert into booking values ($1, $2)', [run.id, attempt])
    return attempt
  })
  .step('done', ({ steps }) => [steps.withdraw, steps.book])

async function bookingEngine(): Promise<TestEngine> {
  const engine = await engineFor([transfer], { log: () => {} })
  await engine.query('create table booking (run uuid, attempt int)')
  return engine
}

test('a worker that dies after a step leaves it to another one, and the step runs again', async () => {
  const engine = await bookingEngine()
  const fault = engine.crashAfter('withdraw')
  const run = await engine.start(transfer, null)
  expect(await engine.result(run)).toEqual([2, 1])
  expect(fault.fired).toBe(true)
  expect(await engine.account(run)).toContain('attempt 1 was lost')
})

test('a worker that dies after a `tx` step has written nothing, and its rows are written once', async () => {
  const engine = await bookingEngine()
  engine.crashAfter('book')
  expect(await engine.result(await engine.start(transfer, null))).toEqual([1, 2])
  expect(await engine.query('select attempt from booking')).toEqual([{ attempt: 2 }])
})

test('the outcome of a step that lost its lease is refused, and the step runs again', async () => {
  const engine = await bookingEngine()
  const run = await engine.start(transfer, null)
  const fault = engine.loseLease(run)
  expect(await engine.result(run)).toEqual([2, 1])
  expect(fault.fired).toBe(true)
  expect(await engine.account(run)).toContain('its lease ran out')
})

test('a database that is gone for less than a lease costs time, and no attempt', async () => {
  const engine = await bookingEngine()
  const fault = engine.databaseGone('5s')
  const run = await engine.start(transfer, null)
  expect(await engine.result(run)).toEqual([1, 1])
  expect(fault.fired).toBe(true)
  expect(await engine.account(run)).toContain('completed in 5.0 s')
})

test('a database that is gone for longer than a lease costs the attempts under way', async () => {
  const engine = await bookingEngine()
  engine.databaseGone('1m')
  const run = await engine.start(transfer, null)
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(run)).toEqual([2, 1])
})

test('an account is the same text each time', async () => {
  const texts = []
  for (let time = 0; time < 2; time++) {
    const engine = await bookingEngine()
    engine.mock(transfer, 'withdraw', ({ attempt, log, run }) => {
      log(`run ${run.id} at ${new Date().toISOString()}`)
      if (attempt < 3) throw new Error('not enough money')
      return attempt
    })
    engine.crashAfter('book')
    const run = await engine.start(transfer, null)
    await engine.runUntilIdle({ advanceTime: true })
    texts.push(await engine.account(run))
    if (time === 0) await engine.advance('3d')
  }
  expect(texts[0]).toBe(texts[1])
  expect(texts[0]).toMatchInlineSnapshot(`
    "Run ID-1
    transfer, version 1: completed

    Started through the SDK by somebody on 2000-01-01 at 00:00:00.000 UTC.
    Completed after 1 min 41 s, on 2000-01-01 at 00:01:41.000 UTC.

    What its steps did
      withdraw                                               completed in 1 min 30 s
        00:00:00.000  attempt 1 failed after 0 ms on a worker
                      not enough money
                      the next attempt 30.0 s later, at 00:00:30.000
        00:00:30.000  attempt 2 failed after 0 ms on a worker
                      not enough money
                      the next attempt 1 min later, at 00:01:30.000
        00:01:30.000  attempt 3 completed in 0 ms on a worker
      book  in one transaction                                   completed in 11.0 s
        00:01:30.000  attempt 1 was lost after 11.0 s: Worker 'test worker' is gone:
                      its lease ran out
                      the next attempt was ready at once
        00:01:41.000  attempt 2 completed in 0 ms on a worker
                      public.booking: wrote 1 row
      done                                                         completed in 0 ms
        00:01:41.000  attempt 1 completed in 0 ms on a worker

    What the steps logged
      00:00:00.000  withdraw: run ID-1 at TIME
      00:00:30.000  withdraw: run ID-1 at TIME
      00:01:30.000  withdraw: run ID-1 at TIME

    Where the time went
      running                   11.0 s   11 %  ███
      in the queue                0 ms    0 %
      waiting for retries   1 min 30 s   89 %  ███████████████████████████

    Its workers
      a worker: process unknown on host a host
    "
  `)
})

test('a handler that does not end is named', async () => {
  const stuck = pipeline('stuck').step('wait', () => new Promise(() => {}))
  const engine = await engineFor([stuck], { patienceMs: 100 })
  await engine.start(stuck, null)
  await expect(engine.runUntilIdle()).rejects.toMatchObject({
    code: 'test_engine_stuck',
    message: "The handler of 'wait' of 'stuck' has not ended for 100 ms.",
  })
})

test('a map over more items than slots is worked off in one go', async () => {
  const wide = pipeline('wide')
    .step('list', () => Array.from({ length: 200 }, (_, index) => index))
    .map('double', { over: 'list' }, async ({ item }) => item * 2)
    .step('sum', ({ steps }) => steps.double.reduce((sum, value) => sum + value, 0))
  const engine = await engineFor([wide], { slots: 7 })
  expect(await engine.result(await engine.start(wide, null))).toBe(39_800)
})

test('a client of the code under test starts runs at the time of the engine', async () => {
  const engine = await engineFor([greeting])
  await engine.advance('30d')
  const client = connect({ database: engine.database, now: () => engine.now().getTime() })
  const { run } = await client.start(greeting, { name: 'Eve' })
  await client.close()
  expect(await engine.result(run!.id)).toBe('Hello, EVE!')
})

test('a start that a rule refuses says which rule, and until when', async () => {
  const importing = pipeline('importing', { throttle: { starts: 1, per: '1m' } }).step('only', () => 1)
  const engine = await engineFor([importing])
  await engine.start(importing, null)
  const passesAt = new Date(engine.now().getTime() + 60_000)
  await expect(engine.start(importing, null)).rejects.toMatchObject({
    code: 'start_limited',
    message: `Rule 'throttle' on starts of 'importing' refuses it until ${passesAt.toISOString()}.`,
    fields: { pipeline: 'importing', rule: 'throttle', passesAt },
  })
})

test('where several must approve, somebody else does each time', async () => {
  const asking = pipeline('asking')
    .approval('named', { people: ['Ada', 'Grace'], quorum: 2 })
    .approval('any', { roles: ['lead'], quorum: 2 })
  const engine = await engineFor([asking])
  const run = await engine.start(asking, null)
  for (const approvals of [1, 2, 1, 2]) expect(await engine.approve(run)).toMatchObject({ approvals })
  await engine.result(run)
})

test('calls that overlap turn one worker, one after the other', async () => {
  const counting = pipeline('counting').step('count', ({ attempt }) => attempt)
  const engine = await engineFor([counting])
  const runs = [await engine.start(counting, null), await engine.start(counting, null)]
  engine.crashAfter('count')
  expect(await Promise.all(runs.map((run) => engine.result(run)))).toEqual([2, 2])
  expect(await engine.query('select from millrace.worker')).toHaveLength(2)
})

test('an engine is closed while it is at work, and while somebody has a connection in hand', async () => {
  const held = pipeline('held').step('wait', () => {
    begin()
    return new Promise(() => {})
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const engine = await engineFor([held])
  const other = await engineFor([])
  await engine.start(held, null)
  await engine.pool.connect()
  const idle = expect(engine.runUntilIdle()).rejects.toMatchObject({ code: 'test_engine_closed' })
  await begun
  await engine.close()
  await idle
  const name = new URL(engine.database).pathname.slice(1)
  expect(await other.query('select from pg_database where datname = $1', [name])).toEqual([])
})

test('an engine that can not be made leaves no database behind', async () => {
  const engine = await engineFor([])
  await expect(engineFor([], { encryptionKeys: { only: 'too short' } })).rejects.toMatchObject({
    code: 'encryption_key_invalid',
  })
  const [own = ''] = /^\/millrace_copy_[0-9]+_/.exec(new URL(engine.database).pathname) ?? []
  const copies = await engine.query<{ name: string }>(
    'select datname as name from pg_database where starts_with(datname, $1)',
    [own.slice(1)],
  )
  expect(copies.map(({ name }) => `/${name}`)).toEqual([new URL(engine.database).pathname])
})

test('an engine that is closed says so, and its database is gone', async () => {
  const engine = await engineFor([greeting])
  const other = await engineFor([])
  await engine.close()
  await expect(engine.start(greeting, { name: 'Ada' })).rejects.toMatchObject({ code: 'test_engine_closed' })
  const name = new URL(engine.database).pathname.slice(1)
  expect(await other.query('select from pg_database where datname = $1', [name])).toEqual([])
})
