// The cache as steps use it: computed once for all runs and workers, told in the account, and never more than it may be.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { Arrival, asOther, countStatements, openOn, type Opened } from '../../test/millrace.ts'
import { runOf } from '../../test/protocol.ts'
import { tellAccount } from '../core/account.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import type { Cache } from '../sdk/cache.ts'
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

const input = z.object({ product: z.string() })
const caller = () => poolCaller(database.pool, { prepare: false, database: 'test' })

test('JQ-26 FO-9 a step with a cache runs once for all runs with its key, on all workers, and the account says which run computed it', async () => {
  let calls = 0
  const priced = pipeline('priced', { input })
    .step('price', { cache: { key: 'product', ttl: '1h' } }, ({ input: { product } }) => {
      calls++
      return { product, cents: 700 }
    })
    .step('double', ({ steps }) => steps.price.cents * 2)
  await opened.worker({ pipelines: [priced] })
  await opened.worker({ pipelines: [priced], database: asOther(database.url) })
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(
    priced,
    Array.from({ length: 30 }, () => ({ product: 'mill' })),
  )
  const results = await Promise.all(answers.map(({ run }) => client.run<typeof priced>(run!).result()))
  expect(results).toEqual(answers.map(() => 1_400))
  expect(calls).toBe(1)
  const events = await database.query<{ run_id: string; kind: string; run: string | null }>(
    "select run_id, kind, detail ->> 'run' as run from millrace.event where kind like 'cache.%'",
  )
  const [miss] = events.filter(({ kind }) => kind === 'cache.miss')
  expect(events.filter(({ kind }) => kind === 'cache.miss')).toHaveLength(1)
  expect(events.filter(({ kind, run }) => kind === 'cache.hit' && run === miss!.run_id)).toHaveLength(29)
  const hit = events.find(({ kind }) => kind === 'cache.hit')!
  expect(tellAccount(await runAccount(caller(), hit.run_id)).replaceAll(/\s+/g, ' ')).toContain(
    `price: mill of priced/price came from the cache; run ${miss!.run_id} computed it`,
  )
  expect(tellAccount(await runAccount(caller(), miss!.run_id))).toContain('was not in the cache')
})

test('JQ-26 FO-9 with a cache the business data of many runs takes 70 % fewer queries', async () => {
  await database.query('create table public.price (product text primary key, cents int)')
  await database.query("insert into public.price select 'product ' || n, n from generate_series(0, 4) n")
  await database.query('grant select on public.price to public')
  const run = async (slug: string, cached: boolean) => {
    const orders = pipeline(slug, { input }).step('order', async ({ input: { product }, sql, cache }) => {
      const read = async () =>
        (await sql<{ cents: number }>`select cents from public.price where product = ${product}`)[0]!.cents
      return cached ? await cache(product, { ttl: '10m', scope: 'prices' }, read) : await read()
    })
    const worker = await opened.worker({ pipelines: [orders] })
    const client = opened.client()
    const statements = countStatements()
    const answers = await client.startMany(
      orders,
      Array.from({ length: 100 }, (_, n) => ({ product: `product ${n % 5}` })),
    )
    const cents = await Promise.all(answers.map((answer) => client.run<typeof orders>(answer.run!).result()))
    statements.stop()
    await worker.stop()
    expect(cents).toEqual(answers.map((_, n) => n % 5))
    return statements.sent.filter((text) => text.includes('public.price')).length
  }
  const without = await run('orders-without', false)
  const queries = await run('orders-with', true)
  expect(without).toBe(100)
  expect(queries).toBeLessThanOrEqual(30)
  expect(queries).toBe(5)
})

test('JQ-26 while one attempt computes, others wait without a connection, and have the value as soon as it is stored', async () => {
  const [began, goOn] = [new Arrival(), new Arrival()]
  const slow = pipeline('slow-value').step('value', async ({ cache }) =>
    cache('k', { ttl: '1h' }, async () => {
      began.arrive()
      await goOn.come
      return 42
    }),
  )
  await opened.worker({ pipelines: [slow] })
  const client = opened.client()
  const answers = await client.startMany(slow, [null, null, null, null])
  await began.come
  await until('the others wait', async () => {
    const [row] = await database.query<{ awaited: boolean }>('select awaited from millrace.cache_claim')
    return row?.awaited
  })
  // Those who wait would have one until the value is there; the worker's own upkeep has one for a moment.
  await until('no transaction is open', async () => {
    const [open] = await database.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where datname = current_database()
          and application_name like 'millrace %' and state like 'idle in transaction%'`,
    )
    return open!.n === 0
  })
  goOn.arrive()
  expect(await Promise.all(answers.map(({ run }) => client.run(run!).result()))).toEqual([42, 42, 42, 42])
})

test('JQ-26 errors are not kept: the next one that waits computes', async () => {
  let calls = 0
  const failing = pipeline('failing-value', { retry: { attempts: 1 } }).step('value', ({ cache }) =>
    cache('k', { ttl: '1h' }, async () => {
      calls++
      if (calls === 1) throw new Error('the source is away')
      return 'fine'
    }),
  )
  await opened.worker({ pipelines: [failing] })
  const client = opened.client()
  const answers = await client.startMany(failing, [null, null, null])
  const results = await Promise.allSettled(answers.map(({ run }) => client.run(run!).result()))
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  expect(calls).toBe(2)
})

test("JQ-26 a claim of which the answer was lost is its attempt's all the same: the value is computed, once for all that ask for it there", async () => {
  let calls = 0
  const unheard = pipeline('unheard-claim').step('value', async ({ cache }) => {
    const one = () => cache('unheard', { ttl: '1h' }, () => ++calls)
    return Promise.all([one(), one(), one()])
  })
  const proxy = await openProxy(database.url)
  await opened.worker({ pipelines: [unheard], database: proxy.through(database.url) })
  const client = opened.client()
  const lost = proxy.loseAnswerTo('millrace_look_up_cache')
  const { run } = await client.start(unheard, null)
  await lost
  await until('the claim is there', async () => {
    const claims = await database.query("select from millrace.cache_claim where key = 'unheard'")
    return claims.length === 1
  })
  proxy.cut()
  expect(await client.run(run!).result()).toEqual([1, 1, 1])
  const told = await database.query("select from millrace.event where run_id = $1 and kind = 'cache.miss'", [
    run!.id,
  ])
  expect(told).toHaveLength(1)
  await opened.close()
  await proxy.close()
}, 60_000)

test('who holds a lock does not wait for a value: so one that computes it under the same lock does not wait for ever', async () => {
  const [locked, computing] = [new Arrival(), new Arrival()]
  const crossed = pipeline('lock-and-cache', { input: z.object({ locks: z.boolean() }) }).step(
    'value',
    async ({ input: { locks }, cache, lock }) => {
      const asked = (value: string, work: () => unknown) =>
        cache('crossed', { ttl: '1h' }, async () => {
          await work()
          return value
        })
      if (!locks) {
        await locked.come
        return asked('computed', () => {
          computing.arrive()
          return lock('crossed-with', () => undefined)
        })
      }
      return lock('crossed-with', async () => {
        locked.arrive()
        await computing.come
        return asked('under the lock', () => undefined)
      })
    },
  )
  await opened.worker({ pipelines: [crossed] })
  const client = opened.client()
  const answers = await client.startMany(crossed, [{ locks: true }, { locks: false }])
  const results = await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  expect(results).toEqual(['under the lock', 'computed'])
}, 60_000)

test('a client invalidates and lists values', async () => {
  let calls = 0
  const versioned = pipeline('versioned', { input }).step(
    'read',
    { cache: { key: ({ input: { product } }) => ['p', product], ttl: '1h' } },
    () => ++calls,
  )
  await opened.worker({ pipelines: [versioned] })
  const client = opened.client()
  const read = async () => {
    const { run } = await client.start(versioned, { product: 'a' })
    return client.run(run!).result()
  }
  expect([await read(), await read()]).toEqual([1, 1])
  expect(await client.cache.list({ scope: 'versioned/read' })).toMatchObject([
    { key: '["p","a"]', tenant: null, step: 'read' },
  ])
  expect(await client.cache.invalidate({ scope: 'versioned/read', key: ['p', 'a'] })).toBe(1)
  expect(await read()).toBe(2)
  await expect(client.cache.invalidate({})).rejects.toMatchObject({ code: 'argument_invalid' })
})

test('an item of a map is kept by a key of its own, and a value is the same JSON the first time as later', async () => {
  const seen: unknown[] = []
  const mapped = pipeline('mapped-cache')
    .step('list', () => ['a', 'b', 'a', 'b', 'a'])
    .map(
      'look',
      { over: 'list', cache: { key: ({ item }) => item, ttl: '1h' } },
      ({ item }) => (seen.push(item), { at: new Date(0), item }),
    )
  await opened.worker({ pipelines: [mapped] })
  const client = opened.client()
  const { run } = await client.start(mapped, null)
  const at = '1970-01-01T00:00:00.000Z'
  expect(await client.run(run!).result()).toEqual(['a', 'b', 'a', 'b', 'a'].map((item) => ({ at, item })))
  expect(seen.sort()).toEqual(['a', 'b'])
})

test('who computes a value waits for no other, so that two that need each other both end', async () => {
  const both = [new Arrival(), new Arrival()]
  const crossed = pipeline('crossed', { input: z.object({ place: z.int() }) }).step(
    'value',
    ({ input: { place }, cache }) =>
      cache(`outer ${place}`, { ttl: '1h' }, async () => {
        both[place]!.arrive()
        await Promise.all(both.map(({ come }) => come))
        return cache(`outer ${1 - place}`, { ttl: '1h' }, () => `inner ${place}`)
      }),
  )
  await opened.worker({ pipelines: [crossed] })
  const client = opened.client()
  const answers = await client.startMany(crossed, [{ place: 0 }, { place: 1 }])
  const results = await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  expect(results).toEqual(expect.arrayContaining([expect.stringMatching(/^inner/)]))
})

test('what a step can not keep is refused: a value that asks for itself, a missing key, a scope, a transaction', async () => {
  const codeOf = async (slug: string, work: (cache: Cache) => unknown) => {
    const refused = pipeline(slug, { retry: { attempts: 3 } }).step('one', async ({ cache }) => {
      await work(cache)
    })
    await opened.worker({ pipelines: [refused] })
    const client = opened.client()
    const { run } = await client.start(refused, null)
    await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
    return (await runOf(database, run!.id)).error?.['code']
  }
  const ttl = '1h'
  const nested = await codeOf('nests', (cache) => cache('k', { ttl }, () => cache('k', { ttl }, () => 1)))
  expect(nested).toBe('cache_key_nested')
  expect(await codeOf('no-key', (cache) => cache(undefined, { ttl }, () => 1))).toBe('cache_key_invalid')
  const scoped = await codeOf('bad-scope', (cache) => cache('k', { ttl, scope: 'A b' }, () => 1))
  expect(scoped).toBe('cache_key_invalid')
  expect(() =>
    pipeline('tx-cache').step('one', { tx: true, cache: { key: 'a', ttl: '1h' } } as never, () => 1),
  ).toThrow(expect.objectContaining({ code: 'step_option_invalid' }))
  expect(() => pipeline('no-ttl').step('one', { cache: { key: 'a' } } as never, () => 1)).toThrow(
    expect.objectContaining({ code: 'step_option_invalid' }),
  )
})
