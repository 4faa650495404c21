// Durable operations: run once, replayed in their places, parked while they wait.
import { inspect } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { Arrival, countStatements, openOn, type Opened } from '../../test/millrace.ts'
import { attemptsOf, runOf } from '../../test/protocol.ts'
import type { MillraceError } from '../core/errors.ts'
import type { Durable } from '../sdk/durable.ts'
import { pipeline } from '../sdk/pipeline.ts'

let database: TestDatabase
let opened: Opened
beforeAll(async () => {
  database = await createTestDatabase()
  opened = openOn(database)
})
afterEach(async () => {
  await opened.close()
  await database.clock.reset()
})
afterAll(() => database.close())

const soon = { attempts: 3, initial: 0, jitter: 'none' } as const
const isWaiting = (id: string) =>
  until(`run ${id} waits`, async () => (await runOf(database, id)).state === 'waiting')
const checkpointsOf = async (id: string) =>
  (
    await database.query<{ name: string; place: number; kind: string }>(
      `select c.name, c.place, c.kind
         from (select distinct step, item from millrace.checkpoint where run_id = $1) s
        cross join lateral millrace.read_checkpoints($1, s.step, s.item) c`,
      [id],
    )
  ).map(({ name, place, kind }) => `${kind} ${name} at ${place}`)

test('what a durable.run gave is not done again by the attempts after it, and is what they get', async () => {
  const done: string[] = []
  const counting = pipeline('counting', { retry: soon }).step('count', async ({ durable, attempt }) => {
    const values: unknown[] = []
    for (const name of ['one', 'two', 'three']) {
      values.push(
        await durable.run(name, () => {
          done.push(`${name} in ${attempt}`)
          return { name, at: new Date(0) }
        }),
      )
      if (attempt < 3 && values.length === attempt) throw new Error(`attempt ${attempt} breaks`)
    }
    return values
  })
  await opened.worker({ pipelines: [counting] })
  const client = opened.client()
  const { run } = await client.start(counting, null)
  const at = new Date(0).toISOString()
  expect(await client.run(run!.id).result()).toEqual([
    { name: 'one', at },
    { name: 'two', at },
    { name: 'three', at },
  ])
  expect(done).toEqual(['one in 1', 'two in 2', 'three in 3'])
  expect(await checkpointsOf(run!.id)).toEqual(['run one at 0', 'run two at 2', 'run three at 4'])
})

test('an attempt that fails from the error of a durable.run stores nothing of it, and the next one runs it again', async () => {
  let tries = 0
  const flaky = pipeline('flaky-run', { retry: soon }).step('call', ({ durable }) =>
    durable.run('outside', () => {
      if (++tries < 3) throw new Error(`try ${tries}`)
      return tries
    }),
  )
  await opened.worker({ pipelines: [flaky] })
  const client = opened.client()
  const { run } = await client.start(flaky, null)
  expect(await client.run(run!.id).result()).toBe(3)
  expect(await checkpointsOf(run!.id)).toEqual(['run outside at 0'])
})

class Declined extends Error {
  override readonly name = 'Declined'
  readonly code = 'card_declined'
  readonly data = { cents: 5 }
}

test('an error that a handler got over is thrown again by each replay, in the same form, and its function is not', async () => {
  const thrown: unknown[] = []
  let calls = 0
  const survived = pipeline('survived', { retry: soon }).step('work', async ({ durable, attempt }) => {
    const told = await durable
      .run('charge', () => {
        calls++
        throw new Declined('no money')
      })
      .catch((error: Declined) => {
        const { name, message, code, data, stack } = error
        thrown.push({ name, message, code, data, own: error instanceof Declined, stack: typeof stack })
        return message
      })
    await durable.run('instead', () => 'yes')
    await durable.sleep({ name: 'nap', for: 0 })
    if (attempt < 3) throw new Error('another one')
    return [told, calls]
  })
  await opened.worker({ pipelines: [survived] })
  const client = opened.client()
  const { run } = await client.start(survived, null)
  expect(await client.run(run!.id).result()).toEqual(['no money', 1])
  const form = {
    name: 'Declined',
    message: 'no money',
    code: 'card_declined',
    data: { cents: 5 },
    own: false,
    stack: 'string',
  }
  expect(thrown).toEqual([form, form, form])
  expect(await checkpointsOf(run!.id)).toEqual(['run charge at 0', 'run instead at 2', 'sleep nap at 4'])
})

test('an error that the handler got over is stored before the function of the next operation begins, and at the latest at its end', async () => {
  const found: unknown[] = []
  const seeing = pipeline('seeing').step('work', async ({ durable, run }) => {
    await durable.run('first', () => Promise.reject(new Error('no'))).catch(() => {})
    await durable.run('second', async () => {
      found.push(await checkpointsOf(run.id))
    })
    await durable.run('third', () => Promise.reject(new Error('no again'))).catch(() => {})
  })
  await opened.worker({ pipelines: [seeing] })
  const client = opened.client()
  const { run } = await client.start(seeing, null)
  await client.run(run!.id).result()
  expect(found).toEqual([['run first at 0']])
  expect(await checkpointsOf(run!.id)).toEqual(['run first at 0', 'run second at 2', 'run third at 4'])
})

test('a handler that goes on from an error and fails from it after all gets it from its function again', async () => {
  const calls: string[] = []
  const clearing = pipeline('clearing', { retry: soon }).step('work', async ({ durable, attempt }) => {
    const failing = (name: string) =>
      durable.run(name, () => {
        calls.push(`${name} in ${attempt}`)
        if (attempt < 3) throw new Error(`${name} breaks`)
        return name
      })
    // Another one that is got over stays so.
    const first = await failing('first').catch(() => 'without')
    try {
      return [first, await failing('second')]
    } catch (error) {
      await durable.run(`clear up ${attempt}`, () => 1)
      if (attempt === 1) throw error
      throw new AggregateError([new Error('wrapped', { cause: error })], 'in a list')
    }
  })
  await opened.worker({ pipelines: [clearing] })
  const client = opened.client()
  const { run } = await client.start(clearing, null)
  expect(await client.run(run!.id).result()).toEqual(['without', 'second'])
  expect(calls).toEqual(['first in 1', 'second in 1', 'second in 2', 'second in 3'])
})

test('of several that fail at once nothing is stored where the attempt fails, and all of them where it goes on', async () => {
  let calls = 0
  const failing = (durable: Durable, attempt: number, n: number) =>
    durable.run(`part-${n}`, async () => {
      if (n % 2 === 1) await pause(n)
      calls++
      if (n !== 4 && attempt === 1) throw new Error(`${n} breaks`)
      return n
    })
  const numbers = [1, 2, 3, 4, 5]
  const all = pipeline('all-fail', { retry: soon }).step('work', ({ durable, attempt }) =>
    Promise.all(numbers.map((n) => failing(durable, attempt, n))),
  )
  const settled = pipeline('all-settled', { retry: soon }).step('work', async ({ durable, attempt }) => {
    const results = await Promise.allSettled(numbers.map((n) => failing(durable, attempt, n)))
    await durable.sleep({ name: 'nap', for: 0 })
    return results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message))
  })
  await opened.worker({ pipelines: [all, settled] })
  const client = opened.client()
  const one = await client.start(all, null)
  expect(await client.run(one.run!.id).result()).toEqual(numbers)
  calls = 0
  const two = await client.start(settled, null)
  expect(await client.run(two.run!.id).result()).toEqual(['1 breaks', '2 breaks', '3 breaks', 4, '5 breaks'])
  expect(calls).toBe(5)
})

test('a race that an error won is won by it again, and one that it lost is lost', async () => {
  const seen: unknown[] = []
  const racing = pipeline('racing-errors', { retry: soon }).step('race', async ({ durable, attempt }) => {
    const held = new Arrival()
    const result = durable.run('result', () => held.come.then(() => 'result'))
    const lost = await Promise.race([
      durable.run('error', () => Promise.reject(new Error('error'))),
      result,
    ]).catch((error: Error) => error.message)
    held.arrive()
    await result
    const late = new Arrival()
    const error = durable.run('late error', () => late.come.then(() => Promise.reject(new Error('late'))))
    const won = await Promise.race([error, durable.run('early result', () => 'early')]).catch(() => 'error')
    late.arrive()
    const message = await error.catch((thrown: Error) => thrown.message)
    seen.push([lost, won, message])
    await durable.sleep({ name: 'nap', for: 0 })
    if (attempt < 3) throw new Error('once more')
  })
  await opened.worker({ pipelines: [racing] })
  const client = opened.client()
  const { run } = await client.start(racing, null)
  await client.run(run!.id).result()
  expect(seen).toEqual(Array.from({ length: 3 }, () => ['error', 'early', 'late']))
})

test('a branch that goes on beside an error from which the attempt fails keeps nothing of it', async () => {
  const calls: string[] = []
  const branching = pipeline('branching-errors', { retry: soon }).step(
    'work',
    async ({ durable, attempt }) => {
      const branch = async () => {
        await durable.run('before', () => 1)
        await durable.run('beside', () => 2)
        await durable.run('behind', () => 3)
      }
      const failing = durable.run('failing', () => {
        calls.push(`failing in ${attempt}`)
        if (attempt < 3) throw new Error('it breaks')
      })
      const going = branch()
      try {
        await Promise.all([going, failing])
      } finally {
        // The first attempt fails at once, the second while the branch has gone on.
        if (attempt === 2) await going
      }
      return attempt
    },
  )
  await opened.worker({ pipelines: [branching] })
  const client = opened.client()
  const { run } = await client.start(branching, null)
  expect(await client.run(run!.id).result()).toBe(3)
  expect(calls).toEqual(['failing in 1', 'failing in 2', 'failing in 3'])
})

test('durable.runs in Promise.all are stored together, in one call, and in one place', async () => {
  const wide = pipeline('wide').step('all', ({ durable }) =>
    Promise.all(Array.from({ length: 200 }, (_, n) => durable.run(`part-${n}`, async () => n))),
  )
  await opened.worker({ pipelines: [wide] })
  const client = opened.client()
  const statements = countStatements()
  const { run } = await client.start(wide, null)
  expect(await client.run(run!.id).result()).toEqual(Array.from({ length: 200 }, (_, n) => n))
  statements.stop()
  expect(statements.sent.filter((name) => name === 'millrace_write_step_checkpoints')).toHaveLength(1)
  expect(await database.query('select 1 from millrace.checkpoint where run_id = $1', [run!.id])).toHaveLength(
    1,
  )
  expect(new Set((await checkpointsOf(run!.id)).map((text) => text.slice(-4)))).toEqual(new Set(['at 1']))
})

test('a race is won by who won it first, however often the step is run again', async () => {
  const winners: string[] = []
  const racing = pipeline('racing', { retry: soon }).step('race', async ({ durable, attempt }) => {
    const slow = new Arrival()
    const winner = await Promise.race([
      durable.run('slow', () => slow.come.then(() => 'slow')),
      durable.run('quick', () => 'quick'),
    ])
    winners.push(winner)
    slow.arrive()
    await durable.run('after', () => winner)
    await durable.run('all', () => 1)
    if (attempt < 3) throw new Error('once more')
    return winner
  })
  await opened.worker({ pipelines: [racing] })
  const client = opened.client()
  const { run } = await client.start(racing, null)
  expect(await client.run(run!.id).result()).toBe('quick')
  expect(winners).toEqual(['quick', 'quick', 'quick'])
})

test('a replay that asks for something else than what is stored ends the step and names both', async () => {
  const changed = pipeline('changed', { retry: soon }).step('work', async ({ durable, attempt }) => {
    await durable.run('first', () => 1)
    await durable.run(attempt === 1 ? 'second' : 'other', () => 2).catch(() => 'caught')
    if (attempt === 1) throw new Error('once more')
    return 'not reached'
  })
  const shorter = pipeline('shorter', { retry: soon }).step('work', async ({ durable, attempt }) => {
    await durable.run('first', () => 1)
    if (attempt > 1) return 'short'
    await durable.run('second', () => 2)
    throw new Error('once more')
  })
  const otherKind = pipeline('other-kind', { retry: soon }).step('work', async ({ durable, attempt }) => {
    if (attempt > 1) return durable.signal('x', { as: 'mine' })
    await durable.run('mine', () => 1)
    throw new Error('once more')
  })
  await opened.worker({ pipelines: [changed, shorter, otherKind] })
  const client = opened.client()
  const messages: string[] = []
  for (const one of [changed, shorter, otherKind]) {
    const { run } = await client.start(one as typeof changed, null)
    const error = await client
      .run(run!.id)
      .result()
      .catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ fields: { error: { code: 'replay_mismatch', retryable: false } } })
    messages.push((error as Error).message)
  }
  expect(messages[0]).toContain("asks for run 'other' at place 1, where the result of run 'second' is stored")
  expect(messages[1]).toContain("ended without asking for run 'second'")
  expect(messages[2]).toContain("asks for signal 'mine', where the result of a run is stored")
})

test('two operations of one name end the step, though the handler catches it', async () => {
  const twice = pipeline('twice', { retry: soon }).step('work', async ({ durable }) => {
    await durable.run('same', () => 1)
    return durable.run('same', () => 2).catch(() => 'caught')
  })
  const nested = pipeline('nested', { retry: soon }).step('work', ({ durable }) =>
    durable.run('outer', () => durable.run('inner', () => 1)),
  )
  await opened.worker({ pipelines: [twice, nested] })
  const client = opened.client()
  for (const [one, code] of [
    [twice, 'durable_name_taken'],
    [nested, 'durable_nested'],
  ] as const) {
    const { run } = await client.start(one as typeof nested, null)
    await expect(client.run(run!.id).result()).rejects.toMatchObject({
      fields: { error: { code, retryable: false } },
    })
  }
})

test('a tx step has no durable, and says so', async () => {
  const held = pipeline('held-open', { retry: soon }).step('write', { tx: true }, (context) =>
    Reflect.get(context, 'durable'),
  )
  await opened.worker({ pipelines: [held] })
  const client = opened.client()
  const { run } = await client.start(held, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'durable_in_transaction' } },
  })
  const looked = pipeline('looked-at', { retry: soon }).step('write', { tx: true }, (context) => ({
    listed: Object.keys({ ...context }).includes('durable'),
    printed: inspect(context).includes('durable'),
  }))
  await opened.worker({ pipelines: [looked] })
  const other = await client.start(looked, null)
  expect(await client.run<typeof looked>(other.run!.id).result()).toEqual({ listed: false, printed: false })
})

test('now, random and uuid are the same for each attempt', async () => {
  const seen: unknown[] = []
  const drawing = pipeline('drawing', { retry: soon }).step('draw', async ({ durable, attempt }) => {
    const now = await durable.now()
    seen.push([now.getTime(), await durable.random(), await durable.uuid()])
    if (attempt < 2) throw new Error('once more')
    return now
  })
  await database.clock.freeze('2031-05-04T03:02:01Z')
  await opened.worker({ pipelines: [drawing], leaseSeconds: 3_600 })
  const client = opened.client({ now: () => Date.parse('2031-05-04T03:02:01Z') })
  const { run } = await client.start(drawing, null)
  expect(await client.run(run!.id).result()).toBe('2031-05-04T03:02:01.000Z')
  expect(seen[1]).toEqual(seen[0])
})

test('E6 a step asleep holds no slot, its sleep survives its worker, and a cancel ends it at once', async () => {
  const sleepy = pipeline('sleepy').step('nap', async ({ durable, attempt }) => {
    await durable.sleep('3d')
    return attempt
  })
  const other = pipeline('other').step('work', () => 'done')
  const options = { pipelines: [sleepy, other], slots: 1, leaseSeconds: 3_600 }
  const first = await opened.worker(options)
  const client = opened.client()
  const asleep = await client.start(sleepy, null)
  const cancelled = await client.start(sleepy, null)
  await isWaiting(asleep.run!.id)
  await isWaiting(cancelled.run!.id)
  expect(first.held).toBe(0)
  const { run } = await client.start(other, null)
  expect(await client.run(run!.id).result()).toBe('done')
  expect(await client.run(cancelled.run!.id).cancel()).toBe(true)
  await first.stop()
  await database.clock.advance('2 days 23 hours')
  const second = await opened.worker(options)
  await second.tick()
  expect((await runOf(database, asleep.run!.id)).state).toBe('waiting')
  await database.clock.advance('2 hours')
  await second.tick()
  expect(await client.run(asleep.run!.id).result()).toBe(2)
  expect((await runOf(database, cancelled.run!.id)).state).toBe('cancelled')
  expect(
    await database.query('select outcome from millrace.attempt where run_id = $1 order by attempt', [
      asleep.run!.id,
    ]),
  ).toEqual([{ outcome: 'parked' }, { outcome: 'completed' }])
})

test('the time asleep counts from the first attempt that came there, and one of several sleeps wakes the step', async () => {
  const napping = pipeline('napping').step('nap', async ({ durable }) => {
    await Promise.race([
      durable.sleep({ name: 'long', for: '10d' }),
      durable.sleep({ name: 'short', for: '1h' }),
    ])
    await Promise.all([durable.sleep({ name: 'next', for: '1h' }), durable.run('aside', () => 1)])
    return 'up'
  })
  const worker = await opened.worker({ pipelines: [napping], leaseSeconds: 3_600 })
  const client = opened.client()
  const { run } = await client.start(napping, null)
  await isWaiting(run!.id)
  await database.clock.advance('61 minutes')
  await worker.tick()
  await until('the second nap', async () => (await attemptsOf(database, run!.id)).length === 2)
  await isWaiting(run!.id)
  await database.clock.advance('61 minutes')
  await worker.tick()
  expect(await client.run(run!.id).result()).toBe('up')
  expect(await database.query('select 1 from millrace.wait where run_id = $1', [run!.id])).toEqual([])
})

test('a signal wakes the step that waits for it, one that came early was kept, and a time without one is told', async () => {
  const paid = pipeline('paid').step('wait', async ({ durable }) => {
    const first = await durable.signal('paid', { payload: z.object({ amount: z.number() }) })
    const second = await durable.signal({ any: ['shipped', 'lost'] }, { match: { parcel: 7 } })
    const third = await durable.signal('rated', { timeout: '2d' })
    return { amount: first.payload.amount, name: second.name, rated: !third.timedOut }
  })
  const worker = await opened.worker({ pipelines: [paid], leaseSeconds: 3_600 })
  const client = opened.client()
  const { run } = await client.start(paid, null)
  await isWaiting(run!.id)
  await client.signal('lost', { parcel: 7 }, { run: run!.id })
  await client.signal('paid', { amount: 12 }, { run: run!.id })
  await until('the last wait', async () => (await checkpointsOf(run!.id)).length === 2)
  await isWaiting(run!.id)
  await database.clock.advance('49 hours')
  await worker.tick()
  expect(await client.run(run!.id).result()).toEqual({ amount: 12, name: 'lost', rated: false })
})

test('a signal to a name goes to the oldest that waits for it, or to all of them', async () => {
  const named = pipeline('named').step('wait', async ({ durable }) => (await durable.signal('gate')).payload)
  await opened.worker({ pipelines: [named] })
  const client = opened.client()
  const runs: string[] = []
  for (let n = 0; n < 3; n++) {
    const { run } = await client.start(named, null)
    await isWaiting(run!.id)
    runs.push(run!.id)
  }
  expect(await client.signal('gate', 'first')).toMatchObject({ woke: 1, kept: false })
  expect(await client.run(runs[0]!).result()).toBe('first')
  expect(await client.signal('gate', 'all', { all: true })).toMatchObject({ woke: 2 })
  expect(await Promise.all(runs.slice(1).map((id) => client.run(id).result()))).toEqual(['all', 'all'])
})

test('a call gives the output of its run, passes headers and tenant down, and fails with what failed there', async () => {
  const child = pipeline('child', { input: z.object({ n: z.number() }), retry: { attempts: 1 } }).step(
    'double',
    ({ input, run }) => {
      if (input.n < 0) throw new Error('below zero')
      return { twice: input.n * 2, headers: run.headers, tenant: run.tenant }
    },
  )
  const parent = pipeline('parent', { input: z.object({ n: z.number() }) }).step(
    'call',
    async ({ durable, input }) => {
      const { twice, headers, tenant } = await durable.call(
        child,
        { n: input.n },
        { headers: { own: 'yes' } },
      )
      return { twice, headers, tenant }
    },
  )
  await opened.worker({ pipelines: [child, parent] })
  const client = opened.client()
  const { run } = await client.start(parent, { n: 4 }, { headers: { trace: 'abc' }, tenant: 'north' })
  expect(await client.run<typeof parent>(run!.id).result()).toEqual({
    twice: 8,
    headers: { trace: 'abc', own: 'yes' },
    tenant: 'north',
  })
  const bad = await client.start(parent, { n: -1 })
  await expect(client.run(bad.run!.id).result()).rejects.toMatchObject({
    message: expect.stringContaining('below zero'),
    fields: { error: { code: 'child_failed', retryable: false } },
  })
})

test('a worker that serves both has the run that it calls, and the step that called it, without a claim or a look at what is stored', async () => {
  const child = pipeline('near-child', { input: z.number() }).step('double', ({ input }) => input * 2)
  const parent = pipeline('near-parent', { input: z.number() }).step('call', async ({ durable, input }) => {
    const before = await durable.run('before', () => input + 1)
    return (await durable.call(child, before)) + before
  })
  await opened.worker({ pipelines: [child, parent] })
  const client = opened.client()
  await client.run((await client.start(child, 0)).run!.id).result()
  const statements = countStatements()
  const { run } = await client.start(parent, 4)
  expect(await client.run(run!.id).result()).toBe(15)
  statements.stop()
  const calls = statements.sent.filter((name) =>
    /park|complete_tasks|read_checkpoints|name, place/.test(name),
  )
  expect(calls).toEqual(['millrace_park_tasks', 'millrace_complete_tasks', 'millrace_complete_tasks'])
  const attempts = await database.query<{ waited: number }>(
    `select extract(epoch from a.started_at - a.ready_at)::float8 as waited
       from millrace.attempt a join millrace.run r on r.id = a.run_id where r.id = $1 or r.parent_run_id = $1`,
    [run!.id],
  )
  // Leased in the transaction that made them ready.
  expect(attempts.map(({ waited }) => waited)).toEqual([0, 0, 0])
})

test('callMany gives how each of its runs ended, in the order of the inputs, and a detached call is not waited for', async () => {
  const child = pipeline('one-of-many', { input: z.number(), retry: { attempts: 1 } }).step(
    'work',
    ({ input }) => {
      if (input === 3) throw new Error('three is bad')
      return input * 10
    },
  )
  const parent = pipeline('many').step('call', async ({ durable }) => {
    const aside = await durable.call(child, 99, { detached: true })
    const none = await durable.callMany(child, [])
    const ended = await durable.callMany(child, [1, 2, 3, 4])
    return {
      aside: aside.id.length,
      none,
      outputs: ended.map((one) => (one.state === 'completed' ? one.output : one.error?.message)),
    }
  })
  await opened.worker({ pipelines: [child, parent] })
  const client = opened.client()
  const { run } = await client.start(parent, null)
  expect(await client.run<typeof parent>(run!.id).result()).toEqual({
    aside: 36,
    none: [],
    outputs: [10, 20, 'three is bad', 40],
  })
})

test('an approval waits for who may decide, and gives what was decided', async () => {
  const asking = pipeline('asking').step('ask', async ({ durable }) => {
    const decision = await durable.approval('release', {
      title: 'Release it?',
      people: ['ann', 'bob'],
      data: { version: 3 },
      form: z.object({ note: z.string() }),
    })
    return {
      state: decision.state,
      by: decision.by,
      note: decision.value?.note ?? null,
      said: decision.comment,
    }
  })
  await opened.worker({ pipelines: [asking] })
  const client = opened.client()
  const { run } = await client.start(asking, null)
  await isWaiting(run!.id)
  const [open] = await client.approvals.list({ run: run!.id })
  expect(open).toMatchObject({
    title: 'Release it?',
    state: 'open',
    data: { version: 3 },
    people: ['ann', 'bob'],
  })
  await expect(client.approvals.decide(open!.id, 'approve', { actor: 'eve' })).rejects.toMatchObject({
    code: 'approval_forbidden',
  })
  await client.approvals.delegate(open!.id, 'cyd', { actor: 'ann' })
  await client.approvals.decide(open!.id, 'approve', { actor: 'cyd', value: { note: 'go' }, comment: 'fine' })
  expect(await client.run(run!.id).result()).toEqual({
    state: 'approved',
    by: ['cyd'],
    note: 'go',
    said: 'fine',
  })
  await expect(client.approvals.decide(open!.id, 'reject', { actor: 'bob' })).rejects.toMatchObject({
    code: 'approval_closed',
  })
})

test('continueAs ends the run and begins the next one under the same key, with nobody in between', async () => {
  const looping = pipeline('looping', {
    input: z.object({ id: z.string(), turn: z.number() }),
    key: 'id',
  }).step('turn', async ({ durable, input }) => {
    await durable.run('work', () => input.turn)
    if (input.turn === 3) return 'at the end'
    return durable.continueAs({ id: input.id, turn: input.turn + 1 })
  })
  const calling = pipeline('calls-a-loop').step('call', ({ durable }) =>
    durable.call(looping, { id: 'called', turn: 1 }),
  )
  const early = pipeline('early', { retry: soon })
    .step('first', ({ durable }) => durable.continueAs(null))
    .step('second', () => 1)
  await opened.worker({ pipelines: [looping, calling, early] })
  const client = opened.client()
  const { run } = await client.start(looping, { id: 'a', turn: 1 })
  let [id, output] = [run!.id, (await client.run(run!.id).result()) as unknown]
  for (let turn = 2; turn <= 3; turn++) {
    id = (output as { continuedAs: string }).continuedAs
    output = await client.run(id).result()
  }
  expect(output).toBe('at the end')
  // Who called the first one waits for the last one.
  const called = await client.start(calling, null)
  expect(await client.run(called.run!.id).result()).toBe('at the end')
  const bad = await client.start(early, null)
  await expect(client.run(bad.run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'continue_misplaced' } },
  })
})

test('a step that lost its lease stores nothing more, and the one that took over goes on from what is stored', async () => {
  const stuck = new Arrival()
  const reached = new Arrival()
  const done: string[] = []
  const losing = pipeline('losing').step('work', async ({ durable, attempt }) => {
    await durable.run('one', () => void done.push(`one in ${attempt}`))
    if (attempt === 1) {
      reached.arrive()
      await stuck.come
    }
    await durable.run('two', () => void done.push(`two in ${attempt}`))
    return attempt
  })
  await opened.worker({ pipelines: [losing], name: 'first', leaseSeconds: 30 })
  const client = opened.client()
  const { run } = await client.start(losing, null)
  await reached.come
  await database.query('update millrace.task set worker_id = null, claimed_at = null where run_id = $1', [
    run!.id,
  ])
  const second = await opened.worker({ pipelines: [losing], name: 'second' })
  await second.tick()
  expect(await client.run(run!.id).result()).toBe(2)
  stuck.arrive()
  await pause(0)
  expect(done.filter((text) => text.startsWith('one'))).toEqual(['one in 1'])
  expect(await checkpointsOf(run!.id)).toEqual(['run one at 0', 'run two at 2'])
})

test('a handler that never touches durable sends nothing for it, and none is made', async () => {
  const plain = pipeline('plain')
    .step('one', () => 1)
    .step('two', ({ steps }) => steps.one + 1)
  await opened.worker({ pipelines: [plain] })
  const client = opened.client()
  const statements = countStatements()
  const { run } = await client.start(plain, null)
  expect(await client.run(run!.id).result()).toBe(2)
  statements.stop()
  expect(statements.sent.filter((name) => /checkpoint|wait|park/.test(name))).toEqual([])
})

test('parallel branches that come in another order after a crash are no mismatch', async () => {
  const ran: string[] = []
  const branches = pipeline('branches', { retry: soon }).step('work', async ({ durable, attempt }) => {
    const branch = async (name: string, turns: number) => {
      for (let turn = 0; turn < turns; turn++) await pause(1)
      await durable.run(name, () => void ran.push(`${name} in ${attempt}`))
      if (attempt === 1) throw new Error('it breaks after the first')
      await durable.run(`${name} again`, () => void ran.push(`${name} again in ${attempt}`))
    }
    // The second branch is the first to ask when it is run again.
    await Promise.all([branch('left', attempt === 1 ? 0 : 20), branch('right', attempt === 1 ? 1_000 : 0)])
    return attempt
  })
  await opened.worker({ pipelines: [branches] })
  const client = opened.client()
  const { run } = await client.start(branches, null)
  expect(await client.run(run!.id).result()).toBe(2)
  expect(ran.filter((text) => text.startsWith('left in'))).toEqual(['left in 1'])
})

test('the loser of a race may stay open: what the handler does then is not given up for it', async () => {
  let tries = 0
  const impatient = pipeline('impatient').step('work', async ({ durable }) => {
    const winner = await Promise.race([
      durable.signal('never').then(() => 'signal'),
      durable.run('quick', () => 'run'),
    ])
    tries++
    // Outside of any operation, longer than a turn of the event loop.
    await pause(100)
    return winner
  })
  await opened.worker({ pipelines: [impatient] })
  const client = opened.client()
  const { run } = await client.start(impatient, null)
  expect(await client.run(run!.id).result()).toBe('run')
  expect(tries).toBe(1)
})

test('whoever is waiting parks as well while an operation that nobody awaits has failed', async () => {
  const careless = pipeline('careless', { retry: soon }).step('work', async ({ durable, attempt }) => {
    void durable.run('unheard', () => Promise.reject(new Error('nobody hears it')))
    await durable.sleep('1h')
    return attempt
  })
  const worker = await opened.worker({ pipelines: [careless], leaseSeconds: 3_600 })
  const client = opened.client()
  const { run } = await client.start(careless, null)
  await isWaiting(run!.id)
  await database.clock.advance('2 hours')
  await worker.tick()
  expect(await client.run(run!.id).result()).toBe(2)
})

test("what waits is no worker's: nobody loses it, a pause holds what wakes it, and the item of a map waits for itself", async () => {
  const each = pipeline('each')
    .step('list', () => [1, 2])
    .map('wait', { over: 'list' }, async ({ durable, item }) => {
      const { payload } = await durable.signal(`for-${item}`)
      return payload
    })
  const first = await opened.worker({ pipelines: [each], leaseSeconds: 3 })
  const client = opened.client()
  const { run } = await client.start(each, null)
  await isWaiting(run!.id)
  await first.stop({ force: true })
  await database.clock.advance('1 hour')
  const second = await opened.worker({ pipelines: [each] })
  await client.run(run!.id).pause()
  await client.signal('for-2', 'two', { run: run!.id })
  await second.tick()
  expect((await attemptsOf(database, run!.id, 'wait')).map(({ outcome }) => outcome)).toEqual([
    'parked',
    'parked',
  ])
  await client.run(run!.id).resume()
  await client.signal('for-1', 'one', { run: run!.id })
  expect(await client.run(run!.id).result()).toEqual(['one', 'two'])
})

test('a step that fails while it is replayed keeps what is stored, and its failures count, its waits do not', async () => {
  let breaks = 2
  const shaky = pipeline('shaky', { retry: { ...soon, attempts: 3 } }).step(
    'work',
    async ({ durable, attempt }) => {
      for (let turn = 0; turn < 4; turn++) await durable.sleep({ name: `nap-${turn}`, for: 0 })
      if (breaks-- > 0) throw new Error('shaken')
      return attempt
    },
  )
  await opened.worker({ pipelines: [shaky] })
  const client = opened.client()
  const { run } = await client.start(shaky, null)
  expect(await client.run(run!.id).result()).toBe(7)
  const outcomes = (await attemptsOf(database, run!.id)).map(({ outcome }) => outcome)
  expect(outcomes.filter((outcome) => outcome === 'parked')).toHaveLength(4)
  expect(outcomes.filter((outcome) => outcome === 'failed')).toHaveLength(2)
})

test('a value that cannot be stored fails its own operation, and none of those beside it', async () => {
  const mixed = pipeline('mixed', { retry: soon }).step('work', ({ durable }) =>
    Promise.allSettled([
      durable.run('good', () => 1),
      durable.run('bad', () => ({ text: 'a\u0000b' })),
      durable.run('big', () => 'x'.repeat(2_000_000)),
    ]).then((results) =>
      results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
    ),
  )
  await opened.worker({ pipelines: [mixed] })
  const client = opened.client()
  const { run } = await client.start(mixed, null)
  expect(await client.run(run!.id).result()).toEqual([1, 'json_invalid', 'json_too_large'])
})

test('a handler that catches, sleeps and tries again does each of its tries once', async () => {
  let calls = 0
  const trying = pipeline('trying', { retry: soon }).step('work', async ({ durable }) => {
    for (let turn = 1; ; turn++) {
      const answer = await durable
        .run(`try ${turn}`, () => {
          if (++calls < 3) throw new Error('not yet')
          return turn
        })
        .catch(() => undefined)
      if (answer !== undefined) return answer
      await durable.sleep({ name: `nap ${turn}`, for: 0 })
    }
  })
  await opened.worker({ pipelines: [trying] })
  const client = opened.client()
  const { run } = await client.start(trying, null)
  // Each try was got over: it is what it was, and the third one succeeds.
  expect(await client.run(run!.id).result()).toBe(3)
  expect(calls).toBe(3)
})

test('a connection that is lost while results are stored is made anew, and no result is lost or done twice', async () => {
  const ran = new Map<number, number>()
  const cutting = pipeline('cutting', { retry: soon }).step('work', async ({ durable, attempt }) => {
    for (let n = 0; n < 60; n++) {
      await durable.run(`part-${n}`, async () => {
        ran.set(n, (ran.get(n) ?? 0) + 1)
        if (n % 20 !== 10) return
        await database.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'millrace checkpoints'",
        )
      })
    }
    return attempt
  })
  await opened.worker({ pipelines: [cutting] })
  const client = opened.client()
  const { run } = await client.start(cutting, null)
  expect(await client.run(run!.id).result()).toBe(1)
  expect([...ran.values()]).toEqual(Array.from({ length: 60 }, () => 1))
  expect(await checkpointsOf(run!.id)).toHaveLength(60)
})

test('an operation that is asked for in a way that cannot be is refused by a sentence that names the step', async () => {
  const refusals: Array<readonly [(durable: Durable) => Promise<unknown>, string, string]> = [
    [
      (durable) => durable.signal({ any: [] }),
      'step_option_invalid',
      "Step 'ask' waits for no signal, or for one whose name is no text of 1 to 200 characters.",
    ],
    [
      (durable) => durable.signal('go', { timeout: 'soon' as '1s' }),
      'duration_invalid',
      "The timeout of a durable.signal in step 'ask' is 'soon'",
    ],
    [
      (durable) => durable.sleep('soon' as '1s'),
      'duration_invalid',
      "The time of a durable.sleep in step 'ask' is 'soon'",
    ],
    [
      (durable) => durable.sleepUntil(new Date(Number.NaN)),
      'duration_invalid',
      "Step 'ask' calls durable.sleepUntil with an invalid date",
    ],
    [
      (durable) =>
        durable.callMany(
          'any',
          Array.from({ length: 10_001 }, () => null),
        ),
      'too_many_starts',
      "Step 'ask' calls 10,001 runs in one durable.callMany; 10,000 are the most",
    ],
  ]
  const refused = pipeline('refused', { retry: { attempts: 1 } }).step('ask', async ({ durable }) => {
    const seen: unknown[] = []
    for (const [ask] of refusals)
      await ask(durable).catch(({ code, message }: MillraceError) => seen.push([code, message]))
    return seen
  })
  const sleeper = pipeline('bad-sleeper', { retry: { attempts: 1 } }).sleep('nap', { until: () => 'never' })
  await opened.worker({ pipelines: [refused, sleeper] })
  const client = opened.client()
  const { run } = await client.start(refused, null)
  expect(await client.run(run!.id).result()).toEqual(
    refusals.map(([, code, message]) => [code, expect.stringContaining(message)]),
  )
  const asleep = await client.start(sleeper, null)
  await expect(client.run(asleep.run!.id).result()).rejects.toMatchObject({
    message: expect.stringContaining("Step 'nap' sleeps until 'never', which is no date"),
  })
})

test('more operations open at a time than a worker can keep end the step for good, though the handler catches it', async () => {
  const refused: number[] = []
  const crowded = pipeline('crowded', { retry: soon }).step('ask', async ({ durable }) => {
    for (let index = 0; index <= 100_000; index++)
      void durable.run(`one ${index}`, () => new Promise(() => {})).catch(() => refused.push(index))
    await durable.run('one more', () => null).catch(() => {})
    return 'not so'
  })
  await opened.worker({ pipelines: [crowded] })
  const client = opened.client()
  const { run } = await client.start(crowded, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    message: expect.stringContaining("Step 'ask' has more than 100,000 durable operations open"),
    fields: { error: { code: 'durable_full', retryable: false } },
  })
  expect(refused).toEqual([100_000])
  expect(await attemptsOf(database, run!.id)).toHaveLength(1)
})

test('an operation that voids the attempt before the handler first waits ends the step at once, whatever it waits for then', async () => {
  const options = { retry: { attempts: 1 }, timeout: '10s' } as const
  const asleep = (durable: Durable, count: number) => Array.from({ length: count }, () => durable.sleep('1h'))
  const crowded = pipeline('crowded-sleeps').step('ask', options, async ({ durable }) => {
    await Promise.allSettled(asleep(durable, 100_001))
  })
  const failing = pipeline('failing-twice').step('ask', options, async ({ durable }) => {
    const fail = () => Promise.reject(new Error('not now'))
    await Promise.allSettled([durable.run('same', fail), durable.run('same', fail)])
    await durable.sleep('1h')
  })
  await opened.worker({ pipelines: [crowded, failing] })
  const client = opened.client()
  for (const [one, code] of [
    [failing, 'durable_name_taken'],
    [crowded, 'durable_full'],
  ] as const) {
    const { run } = await client.start(one as typeof failing, null)
    await expect(client.run(run!.id).result()).rejects.toMatchObject({
      fields: { error: { code, retryable: false } },
    })
  }
})
