// Starts inside a caller's own transaction, through the libraries that people use.
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import { CamelCasePlugin, Kysely, PostgresDialect, sql as kyselySql } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import type { Transaction } from '../db/call.ts'
import { pipeline } from './pipeline.ts'
import {
  drizzleTransaction,
  kyselyTransaction,
  postgresJsTransaction,
  prismaTransaction,
} from './transactions.ts'

const { database, opened } = await openMillrace()
const endings: Array<() => Promise<unknown>> = []
afterEach(async () => {
  await Promise.all(endings.splice(0).map((end) => end()))
})

const tricky = z.object({ text: z.string(), list: z.array(z.any()) })
const kept = pipeline('kept', { input: tricky }).step('give', ({ input }) => input)
const keyed = pipeline('keyed', { input: z.object({ region: z.string() }), key: 'region' }).step(
  'do',
  () => 1,
)
const throttled = pipeline('throttled', { throttle: { starts: 1, per: '1h' } }).step('do', () => 1)
const input = {
  text: 'a "quote", a \\ back, {braces}, \'single\', NULL, $1, ä🙂\n',
  list: [1, null, true, 'null', { deep: ['"'] }],
}

type InTransaction = (work: (tx: Transaction) => Promise<void>) => Promise<unknown>

function pool(): pg.Pool {
  const own = new pg.Pool({ connectionString: database.url, max: 2 })
  // end() answers before its connections are gone; the dropping of the database may still be told to one.
  own.on('error', () => {})
  endings.push(() => own.end())
  return own
}

function postgresJs(options: object = {}): postgres.Sql {
  const own = postgres(database.url, { max: 2, onnotice: () => {}, ...options })
  endings.push(() => own.end())
  return own
}

const libraries: Record<string, () => InTransaction> = {
  'node-postgres': () => async (work) => {
    const client = await pool().connect()
    try {
      await client.query('begin')
      await work(client)
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  },
  'postgres.js': () => (work) => postgresJs().begin((sql) => work(postgresJsTransaction(sql))),
  'postgres.js with camel-cased columns and without prepared statements': () => (work) =>
    postgresJs({ transform: postgres.camel, prepare: false }).begin((sql) =>
      work(postgresJsTransaction(sql)),
    ),
  'Drizzle over node-postgres': () => (work) =>
    drizzleOnPg(pool()).transaction((tx) => work(drizzleTransaction(tx, drizzleSql))),
  'Drizzle over postgres.js': () => (work) =>
    drizzleOnPostgresJs(postgresJs()).transaction((tx) => work(drizzleTransaction(tx, drizzleSql))),
  Kysely: () => (work) =>
    new Kysely({ dialect: new PostgresDialect({ pool: pool() }) })
      .transaction()
      .execute((trx) => work(kyselyTransaction(trx, kyselySql))),
  'Kysely with camel-cased columns': () => (work) =>
    new Kysely({ dialect: new PostgresDialect({ pool: pool() }), plugins: [new CamelCasePlugin()] })
      .transaction()
      .execute((trx) => work(kyselyTransaction(trx, kyselySql))),
  // Prisma itself is too heavy to install; this takes and gives what Prisma 7.10 was seen to: text and values in, the list of
  // rows out, and errors that hold the database's own as a plain object.
  'what has the signature of Prisma': () => async (work) => {
    const client = await pool().connect()
    await client.query('begin')
    const $queryRawUnsafe = async (text: string, ...values: unknown[]): Promise<unknown> =>
      client.query(text, values).then(
        ({ rows }) => rows,
        ({ code, severity, message, detail, hint }: pg.DatabaseError) => {
          const cause = { kind: 'postgres', code, severity, message, detail, hint }
          const driverAdapterError = new Error(message, { cause })
          throw Object.assign(new Error('Raw query failed.'), { code: 'P2010', meta: { driverAdapterError } })
        },
      )
    try {
      await work(prismaTransaction({ $queryRawUnsafe }))
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  },
}

describe.each(Object.entries(libraries))('a start inside a transaction of %s', (_, open) => {
  const startedIn = async (work: (tx: Transaction) => Promise<void>) => await open()(work)

  test('commits with it, with every option and every letter of its input, and wakes a sleeping worker', async () => {
    await opened.worker({ pipelines: [kept], leaseSeconds: 3_600, heartbeatMs: 60_000 })
    const client = opened.client()
    await until(
      'the worker sleeps',
      async () =>
        (await database.query("select 1 from millrace.worker where sleeping and state <> 'gone'")).length ===
        1,
    )
    let id = ''
    await startedIn(async (tx) => {
      const options = {
        tx,
        priority: 3,
        tenant: 'a "tenant"',
        headers: { trace: '{"x"}' },
        availableAt: new Date(0 + Date.now() - 1_000),
      }
      const answer = await client.start(kept, input, options)
      expect(answer.created).toBe(true)
      id = answer.run!.id
      expect(await database.query('select 1 from millrace.run where id = $1', [id])).toEqual([])
    })
    expect(await client.run(id).result()).toEqual(input)
    expect(
      await database.query('select priority, tenant, headers, input from millrace.run where id = $1', [id]),
    ).toEqual([{ priority: 3, tenant: 'a "tenant"', headers: { trace: '{"x"}' }, input }])
  })

  test('rolls back with it', async () => {
    const client = opened.client()
    const undone = new Error('undone')
    let id = ''
    await expect(
      startedIn(async (tx) => {
        id = (await client.start(kept, input, { tx })).run!.id
        throw undone
      }),
    ).rejects.toThrow('undone')
    expect(await database.query('select 1 from millrace.run where id = $1', [id])).toEqual([])
  })

  test('is refused with its reason where the key is live, also for many at once', async () => {
    const client = opened.client()
    const live = await client.ensureRun(keyed, { region: 'north' })
    await startedIn(async (tx) => {
      expect(await client.start(keyed, { region: 'north' }, { tx })).toEqual({
        created: false,
        reason: 'live',
        run: live.run,
      })
      const many = await client.startMany(keyed, [{ region: 'north' }, { region: `new ${Math.random()}` }], {
        tx,
      })
      expect(many.map(({ created }) => created)).toEqual([false, true])
    })
  })

  test('is told as a date when a rule would let it pass', async () => {
    const client = opened.client()
    const options = { tenant: `tenant ${Math.random()}` }
    await client.start(throttled, null, options)
    const [row] = await database.query<{ passes_at: Date }>(
      'select passes_at from millrace.start_run($1, null, tenant => $2)',
      ['throttled', options.tenant],
    )
    await startedIn(async (tx) => {
      expect(await client.start(throttled, null, { ...options, tx })).toEqual({
        created: false,
        reason: 'limit',
        run: null,
        rule: 'throttle',
        passesAt: row!.passes_at,
      })
    })
  })

  test('raises what the database refuses as an error of ours', async () => {
    const client = opened.client()
    await expect(
      startedIn(async (tx) => void (await client.start('nobody', {}, { tx }))),
    ).rejects.toMatchObject({ code: 'pipeline_unknown' })
  })
})
