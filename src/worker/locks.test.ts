// Named locks as handlers take them: one at a time over several workers, given back when the function ends, and with a transaction not before it.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { Arrival, asOther, openOn, type Opened } from '../../test/millrace.ts'
import { runOf } from '../../test/protocol.ts'
import { pipeline } from '../sdk/pipeline.ts'

let database: TestDatabase
let opened: Opened
beforeAll(async () => {
  database = await createTestDatabase()
  await database.query('create table public.counted (n int not null)')
  await database.query('insert into public.counted values (0)')
  opened = openOn(database)
})
afterEach(() => opened.close())
afterAll(() => database.close())

test('FO-11 a handler under a lock runs alone, over all workers, with rising tokens; and none waits longer than those before it', async () => {
  let inside = 0
  const tokens: number[] = []
  const alone = pipeline('alone').step('work', ({ lock }) =>
    lock('only-one', async ({ token }) => {
      expect(++inside).toBe(1)
      tokens.push(token)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
    }),
  )
  await opened.worker({ pipelines: [alone] })
  await opened.worker({ pipelines: [alone], database: asOther(database.url) })
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(
    alone,
    Array.from({ length: 20 }, () => null),
  )
  await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  expect(tokens).toHaveLength(20)
  expect(tokens).toEqual([...tokens].sort((left, right) => left - right))
  expect(await database.query('select from millrace.lock_request')).toEqual([])
})

test('FO-11 the lock of a tx step lasts until its transaction has ended: nobody sees what is not committed, and nothing is lost', async () => {
  const counting = pipeline('counting').step('count', { tx: true }, ({ lock, sql }) =>
    lock('the-count', async () => {
      const [row] = await sql<{ n: number }>`select n from public.counted`
      await sql`update public.counted set n = ${row!.n + 1}`
    }),
  )
  await opened.worker({ pipelines: [counting], connectionsMax: 2 })
  await opened.worker({ pipelines: [counting], connectionsMax: 2, database: asOther(database.url) })
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(
    counting,
    Array.from({ length: 12 }, () => null),
  )
  await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  expect(await database.query('select n from public.counted')).toEqual([{ n: 12 }])
})

test('a lock that is not free in time is an error with a code, and leaves no trace; why and lock list tell of who waits', async () => {
  const [held, goOn] = [new Arrival(), new Arrival()]
  const holding = pipeline('holding', {
    input: z.object({ timeout: z.int().nullable() }),
    retry: { attempts: 1 },
  }).step('hold', ({ lock, input: { timeout } }) =>
    lock('busy', timeout === null ? {} : { timeout }, async () => {
      held.arrive()
      await goOn.come
    }),
  )
  await opened.worker({ pipelines: [holding] })
  const client = opened.client()
  const { run: holder } = await client.start(holding, { timeout: null })
  await held.come
  const { run: hasty } = await client.start(holding, { timeout: 0 })
  await expect(client.run(hasty!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await runOf(database, hasty!.id)).error).toMatchObject({ code: 'lock_timeout' })
  const { run: waiter } = await client.start(holding, { timeout: null })
  const told = await until('it waits', async () => {
    const why = await client.run(waiter!).why()
    return why.reason === 'lock' ? why : undefined
  })
  expect(told.sentence).toContain(`which 'hold' of run ${holder!.id} holds since`)
  goOn.arrive()
  await Promise.all([holder, waiter].map((run) => client.run(run!).result()))
  expect(await database.query('select from millrace.lock_request')).toEqual([])
})

test('a step that asks for the lock that it has is told so, and not left to wait', async () => {
  const nesting = pipeline('nesting', { retry: { attempts: 1 } }).step('nest', ({ lock }) =>
    lock('outer', () => lock('outer', () => 'never')),
  )
  await opened.worker({ pipelines: [nesting] })
  const client = opened.client()
  const { run } = await client.start(nesting, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await runOf(database, run!.id)).error).toMatchObject({ code: 'lock_circle' })
})

test('a lock gives back what its function gives, also where that throws', async () => {
  const giving = pipeline('giving').step('give', async ({ lock }) => {
    await lock('thrown', () => {
      throw new Error('no')
    }).catch(() => undefined)
    return lock('thrown', { timeout: '1s' }, () => 'given')
  })
  await opened.worker({ pipelines: [giving] })
  const client = opened.client()
  const { run } = await client.start(giving, null)
  expect(await client.run(run!).result()).toBe('given')
})

test('whatever a handler is given and does not await ends no process, neither when its attempt is over first nor when it fails', async () => {
  const careless = pipeline('careless')
    .step('work', ({ lock, cache, artifacts, sql, secret, backOff }) => {
      void lock('left-alone', () => undefined)
      void cache('left-alone', { ttl: '1h' }, () => 1)
      void artifacts.write('left-alone', 'x')
      void sql`select 1 / 0`
      void secret('nobody-knows')
      void backOff('1s')
    })
    .step('write', { tx: true, onError: 'skip', retry: { attempts: 1 } }, ({ tx, sql }) => {
      void sql`select 1 / 0`
      void tx.query('commit')
      void tx.query('select 1 / 0')
    })
  await opened.worker({ pipelines: [careless] })
  const unheard: unknown[] = []
  const hear = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', hear)
  const client = opened.client()
  const answers = await client.startMany(
    careless,
    Array.from({ length: 10 }, () => null),
  )
  await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  await opened.close()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  expect(unheard).toEqual([])
})
