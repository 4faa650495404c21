// Batches in a worker: one call of a handler for several tasks, each of which is an attempt of its own, and one slot for all of them.
import { expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { Arrival, asOther, openMillrace } from '../../test/millrace.ts'
import { z } from 'zod'
import { pipeline } from '../sdk/pipeline.ts'
import type { Client } from '../sdk/client.ts'
import type { RunHandle } from '../sdk/run-handle.ts'
import type { StartAnswer } from '../sdk/start.ts'

const { database, opened } = await openMillrace()

async function startAll(
  starts: ReadonlyArray<Promise<StartAnswer>>,
  client: Client = opened.client(),
): Promise<RunHandle[]> {
  return (await Promise.all(starts)).map(({ run }) => client.run(run!.id))
}

const results = (runs: readonly RunHandle[]) =>
  Promise.all(runs.map((run) => run.result().catch((error: Error) => error.message)))

const attemptsOf = (runs: readonly RunHandle[]) =>
  database.query<{ run_id: string; attempt: number; outcome: string; error: { message: string } | null }>(
    'select run_id, attempt, outcome, error from millrace.attempt where run_id = any ($1) order by run_id, attempt',
    [runs.map(({ id }) => id)],
  )

test('a handler gets as many as are there, once they are so many, and answers for each', async () => {
  const sizes: number[] = []
  const mails = pipeline('mails', { input: z.object({ to: z.string() }) })
    .step('text', ({ input }) => `Hello ${input.to}`)
    .batch('mail', { size: 4, within: '1h' }, ({ items }) => {
      sizes.push(items.length)
      return items.map(({ steps, run, idempotencyKey }) => ({
        sent: steps.text,
        own: idempotencyKey === `${run.id}:mail`,
      }))
    })
    .step('after', ({ steps }) => steps.mail)
  await opened.worker({ pipelines: [mails], slots: 2 })
  const client = opened.client()
  const runs = await startAll(Array.from({ length: 12 }, (_, n) => client.start(mails, { to: `n${n}` })))
  expect(await results(runs)).toEqual(runs.map((_, n) => ({ sent: `Hello n${n}`, own: true })))
  expect(sizes).toEqual([4, 4, 4])
})

test('what there is goes when the oldest has waited for its time, without anything else happening', async () => {
  const sizes: number[] = []
  const few = pipeline('few').batch('mail', { size: 100, within: 50 }, ({ items }) => {
    sizes.push(items.length)
    return items.map(() => 'sent')
  })
  await opened.worker({ pipelines: [few], heartbeatMs: 60_000, leaseSeconds: 300 })
  const client = opened.client()
  const runs = await startAll([client.start(few, null), client.start(few, null)])
  expect(await results(runs)).toEqual(['sent', 'sent'])
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2)
})

test('a bad item fails alone, by its own retry policy; what is thrown fails them all', async () => {
  let thrown = 0
  const retry = { attempts: 2, initial: 0, jitter: 'none' } as const
  const picky = pipeline('picky', { input: z.object({ n: z.number() }) }).batch(
    'each',
    { size: 3, within: 30, retry },
    ({ items }) => {
      if (items.some(({ input }) => input.n === 99) && thrown++ < 1) throw new Error('all of them')
      return items.map(({ input, attempt }) => (input.n === 1 ? new Error(`bad at ${attempt}`) : input.n))
    },
  )
  await opened.worker({ pipelines: [picky] })
  const client = opened.client()
  const first = await startAll([0, 1, 2].map((n) => client.start(picky, { n })))
  expect(await results(first)).toEqual([0, expect.stringContaining('bad at 2'), 2])
  expect((await attemptsOf(first)).map(({ outcome }) => outcome).toSorted()).toEqual([
    'completed',
    'completed',
    'failed',
    'failed',
  ])
  const second = await startAll([97, 98, 99].map((n) => client.start(picky, { n })))
  expect(await results(second)).toEqual([97, 98, 99])
  const failed = (await attemptsOf(second)).filter(({ outcome }) => outcome === 'failed')
  expect(failed.map(({ error }) => error?.message)).toEqual(failed.map(() => 'all of them'))
  expect(failed.length).toBeGreaterThan(0)
})

test('an answer of another length fails them all, and says how many were wanted', async () => {
  const short = pipeline('short').batch('each', { size: 2, within: '1h', retry: { attempts: 1 } }, () => [1])
  await opened.worker({ pipelines: [short] })
  const client = opened.client()
  const runs = await startAll([client.start(short, null), client.start(short, null)])
  expect(await results(runs)).toEqual([
    expect.stringContaining("'each' was given 2 items and answered with a list of 1"),
    expect.stringContaining("'each' was given 2 items and answered with a list of 1"),
  ])
})

test('what no batch has is refused in a sentence, and what an output must be is asked item by item', async () => {
  const asking = pipeline('asking', { input: z.object({ n: z.number() }) }).batch(
    'each',
    { size: 3, within: '1h', output: z.number().max(1), retry: { attempts: 1 } },
    ({ items }) => {
      const [first] = items as unknown as Array<{ readonly durable: unknown }>
      expect(() => first!.durable).toThrow("Step 'each' asks for 'durable', which a batch does not have")
      return items.map(({ input }) => input.n)
    },
  )
  await opened.worker({ pipelines: [asking] })
  const client = opened.client()
  const runs = await startAll([0, 1, 2].map((n) => client.start(asking, { n })))
  expect(await results(runs)).toEqual([0, 1, expect.stringContaining("The output of step 'each'")])
})

test('an item whose run is cancelled is told so by its own signal, and the others go on', async () => {
  const begun = new Arrival()
  const told = new Arrival<{ readonly others: number; readonly all: boolean }>()
  const slow = pipeline('slow', { input: z.object({ n: z.number() }) }).batch(
    'each',
    { size: 3, within: '1h' },
    async ({ items, abort }) => {
      begun.arrive()
      const cancelled = items.find(({ input }) => input.n === 1)!
      await new Promise((resolve) => cancelled.abort.addEventListener('abort', resolve, { once: true }))
      told.arrive({ others: items.filter((item) => item.abort.aborted).length, all: abort.aborted })
      return items.map(({ input }) => input.n)
    },
  )
  await opened.worker({ pipelines: [slow], heartbeatMs: 50 })
  const client = opened.client()
  const runs = await startAll([0, 1, 2].map((n) => client.start(slow, { n })))
  await begun.come
  await runs[1]!.cancel()
  expect(await told.come).toEqual({ others: 1, all: false })
  expect(await results([runs[0]!, runs[2]!])).toEqual([0, 2])
  const rows = await database.query('select state from millrace.run where id = any ($1) order by id', [
    runs.map(({ id }) => id),
  ])
  expect(rows.map(({ state }) => state).toSorted()).toEqual(['cancelled', 'completed', 'completed'])
})

test('a batch has one timeout, at which all of its items fail', async () => {
  const hanging = pipeline('hanging').batch(
    'each',
    { size: 2, within: '1h', timeout: 50, retry: { attempts: 1 } },
    async ({ items, abort }) => {
      await new Promise((resolve) => abort.addEventListener('abort', resolve, { once: true }))
      return items.map(() => 1)
    },
  )
  await opened.worker({ pipelines: [hanging] })
  const client = opened.client()
  const runs = await startAll([client.start(hanging, null), client.start(hanging, null)])
  expect(await results(runs)).toEqual([
    expect.stringContaining('took longer than its timeout of 50 ms'),
    expect.stringContaining('took longer than its timeout of 50 ms'),
  ])
})

test('an answer may be a list of promises: each item ends with its own, and at the timeout those that are left fail', async () => {
  const goOn = new Arrival<string>()
  const promising = pipeline('promising', { input: z.object({ n: z.number() }) }).batch(
    'each',
    { size: 3, within: '1h', timeout: '150ms', retry: { attempts: 1 } },
    ({ items }) =>
      items.map(({ input, abort }) => {
        if (input.n === 0) return 'at once'
        abort.addEventListener('abort', () => goOn.arrive((abort.reason as Error).message), { once: true })
        return input.n === 1 ? Promise.reject(new Error('its own')) : new Promise<string>(() => {})
      }),
  )
  await opened.worker({ pipelines: [promising] })
  const client = opened.client()
  const runs = await startAll([0, 1, 2].map((n) => client.start(promising, { n })))
  expect(await results(runs)).toEqual([
    'at once',
    expect.stringContaining('its own'),
    expect.stringContaining('took longer than its timeout of 150 ms'),
  ])
  expect(await goOn.come).toContain('took longer than its timeout')
})

test('a condition is asked for each item, and those that are not wanted are skipped', async () => {
  const sizes: number[] = []
  const wanted = pipeline('wanted', { input: z.object({ n: z.number() }) }).batch(
    'each',
    { size: 4, within: '1h', when: ({ input }) => input.n % 2 === 0 },
    ({ items }) => {
      sizes.push(items.length)
      return items.map(({ input }) => input.n)
    },
  )
  await opened.worker({ pipelines: [wanted] })
  const client = opened.client()
  const runs = await startAll([0, 1, 2, 3].map((n) => client.start(wanted, { n })))
  expect(await results(runs)).toEqual([0, null, 2, null])
  expect(sizes).toEqual([2])
})

test('a map goes over its items in batches, across runs; what fails of it is tried again, and never more handlers run than there are slots', async () => {
  let running = 0
  let most = 0
  const sizes: number[] = []
  const list = pipeline('list', { input: z.object({ from: z.number(), count: z.number() }) })
    .step('items', ({ input }) => Array.from({ length: input.count }, (_, n) => input.from + n))
    .batch(
      'double',
      { over: 'items', size: 100, within: 20, retry: { initial: 0, jitter: 'none' } },
      async ({ items }) => {
        most = Math.max(most, ++running)
        sizes.push(items.length)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return items.map(({ item, attempt }) =>
          item % 100 === 7 && attempt === 1 ? new Error('not at once') : item * 2,
        )
      },
    )
    .step('sum', ({ steps }) => steps.double.reduce((sum, n) => sum + n, 0))
  await opened.worker({ pipelines: [list], slots: 3 })
  await opened.worker({ pipelines: [list], slots: 3, database: `${database.url}?application_name=other` })
  const client = opened.client()
  const runs = await startAll([
    client.start(list, { from: 0, count: 1_000 }),
    client.start(list, { from: 1_000, count: 250 }),
  ])
  const sum = (from: number, count: number) => (2 * from + count - 1) * count
  expect(await results(runs)).toEqual([sum(0, 1_000), sum(1_000, 250)])
  expect(most).toBeLessThanOrEqual(6)
  expect(Math.max(...sizes)).toBe(100)
  expect(sizes.reduce((total, size) => total + size, 0)).toBe(1_250 + 13)
  const [attempts] = await database.query<{ items: number; ended: number }>(
    `select count(distinct (run_id, item))::int as items, count(*) filter (where outcome = 'completed')::int as ended
       from millrace.attempt where run_id = any ($1) and step = 'double' and item >= 0`,
    [runs.map(({ id }) => id)],
  )
  expect(attempts).toEqual({ items: 1_250, ended: 1_250 })
})

test('an encrypted pipeline is decrypted item by item, and its batches go by what is in the clear', async () => {
  const keys = { k1: Buffer.alloc(32, 1).toString('base64') }
  const seen: string[][] = []
  const sealed = pipeline('sealed', {
    input: z.object({ account: z.string(), secret: z.string() }),
    encrypt: { clear: ['account'] },
  }).batch('each', { size: 2, within: '1h', key: 'account' }, ({ items }) => {
    seen.push(items.map(({ input }) => `${input.account} ${input.secret}`))
    return items.map(({ input }) => input.secret.toUpperCase())
  })
  await opened.worker({ pipelines: [sealed], encryptionKeys: keys })
  const client = opened.client({ encryptionKeys: keys })
  const runs = await startAll(
    ['a x', 'b y', 'a z', 'b w'].map((text) => {
      const [account, secret] = text.split(' ') as [string, string]
      return client.start(sealed, { account, secret })
    }),
    client,
  )
  expect(await results(runs)).toEqual(['X', 'Y', 'Z', 'W'])
  expect(seen.toSorted()).toEqual([
    ['a x', 'a z'],
    ['b y', 'b w'],
  ])
})

test('a worker that is stopped gives back what waits in it, and what it claimed is finished first', async () => {
  const begun = new Arrival()
  const go = new Arrival()
  const stopped = pipeline('stopped').batch('each', { size: 2, within: '1h' }, async ({ items }) => {
    begun.arrive()
    await go.come
    return items.map(() => 'done')
  })
  const worker = await opened.worker({ pipelines: [stopped], slots: 1 })
  const client = opened.client()
  const runs = await startAll([1, 2, 3].map(() => client.start(stopped, null)))
  await begun.come
  const stopping = worker.stop()
  go.arrive()
  await stopping
  const states = await database.query<{ state: string }>(
    'select state from millrace.run where id = any ($1)',
    [runs.map(({ id }) => id)],
  )
  expect(states.map(({ state }) => state).toSorted()).toEqual(['completed', 'completed', 'pending'])
})

test('a batch leads on to a chain whose steps have slots of their own, however many its items are', async () => {
  let running = 0
  let most = 0
  const leading = pipeline('leading')
    .batch('all', { size: 50, within: '1h' }, ({ items }) => items.map((_, n) => n))
    .step('own', async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return 1
    })
  await opened.worker({ pipelines: [leading], slots: 2 })
  const client = opened.client()
  const runs = await startAll(Array.from({ length: 50 }, () => client.start(leading, null)))
  expect(await results(runs)).toEqual(runs.map(() => 1))
  expect(most).toBeLessThanOrEqual(2)
  const attempts = (await attemptsOf(runs)).filter(({ outcome }) => outcome !== 'completed')
  expect(attempts).toEqual([])
  await until('the worker holds nothing', async () => {
    const [row] = await database.query('select count(*)::int as n from millrace.task')
    return row?.['n'] === 0 || row?.['n'] === 1
  })
})

test('PP-C7 B5 the answer that brings batches is lost: their tasks are given back, and each runs once', async () => {
  const proxy = await openProxy(database.url)
  const seen: string[] = []
  const lost = pipeline('lost').batch('each', { size: 3, within: 30 }, ({ items }) => {
    seen.push(...items.map(({ run }) => run.id))
    return items.map(({ attempt }) => attempt)
  })
  try {
    const client = opened.client({ database: asOther(database.url) })
    const runs = await startAll([1, 2, 3].map(() => client.start(lost, null)))
    const isLost = proxy.loseAnswerTo('millrace_claim_batches')
    await opened.worker({
      database: proxy.through(database.url),
      pipelines: [lost],
      heartbeatMs: 300,
      slots: 2,
    })
    await isLost
    await until(
      'the claim is committed',
      async () =>
        (await database.query('select from millrace.task where worker_id is not null')).length === 3 ||
        (await attemptsOf(runs)).length > 0,
    )
    proxy.cut()
    expect(await results(runs)).toEqual([2, 2, 2])
    expect(seen.toSorted()).toEqual(runs.map(({ id }) => id).toSorted())
    expect((await attemptsOf(runs)).map(({ outcome }) => outcome)).toEqual(
      runs.flatMap(() => ['released', 'completed']),
    )
  } finally {
    await opened.close()
    await proxy.close()
  }
})
