// Steps marked tx: their effect happens exactly once.
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text as textColumn } from 'drizzle-orm/pg-core'
import { Kysely, PostgresDialect } from 'kysely'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { Arrival, openMillrace } from '../../test/millrace.ts'
import { attemptsOf, runOf } from '../../test/protocol.ts'
import { pipeline } from '../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
beforeAll(async () => {
  await database.query('create table note (run text not null, text text not null unique)')
})
beforeEach(async () => {
  await database.query('truncate note')
})

const notes = async () =>
  (await database.query<{ text: string }>('select text from note order by text')).map(({ text }) => text)

test('a tx step writes its rows and its output together, what it wrote stands in the account by table, and the next step is there without a claim', async () => {
  const noted = pipeline('noted', { input: z.object({ text: z.string() }) })
    .step('write', { tx: true }, async ({ input, sql, tx, run }) => {
      await sql`insert into note values (${run.id}, ${input.text})`
      await tx.query('insert into note select $1, $2 || n from generate_series(1, 2) n', [run.id, input.text])
      await sql`update note set text = text || '!' where run = ${run.id}`
      return 3
    })
    .step('after', ({ steps }) => steps.write + 1)
  await opened.worker({ pipelines: [noted] })
  const client = opened.client()
  const { run } = await client.start(noted, { text: 'a' })
  expect(await client.run<typeof noted>(run!.id).result()).toBe(4)
  expect(await notes()).toEqual(['a!', 'a1!', 'a2!'])
  const [attempt] = await database.query(
    "select writes from millrace.attempt where run_id = $1 and step = 'write'",
    [run!.id],
  )
  expect(attempt).toEqual({ writes: { 'public.note': { inserted: 3, updated: 3, deleted: 0 } } })
})

test('a tx step that fails leaves nothing of what it wrote, and its next attempt writes it once', async () => {
  const twice = pipeline('twice', { retry: { attempts: 2, initial: 0 } }).step(
    'write',
    { tx: true },
    async ({ sql, attempt }) => {
      await sql`insert into note values ('x', 'once')`
      if (attempt === 1) throw new Error('not yet')
    },
  )
  const worker = await opened.worker({ pipelines: [twice] })
  const client = opened.client()
  const { run } = await client.start(twice, null)
  await worker.tick()
  await client.run(run!.id).result()
  expect(await notes()).toEqual(['once'])
  expect((await attemptsOf(database, run!.id)).map(({ outcome }) => outcome)).toEqual(['failed', 'completed'])
})

test('a tx step that swallows the error of a statement fails as transaction_lost, and nothing is written', async () => {
  const swallowing = pipeline('swallowing', { retry: { attempts: 1 } }).step(
    'write',
    { tx: true },
    async ({ sql }) => {
      await sql`insert into note values ('x', 'lost')`
      await sql`insert into note values ('x', 'lost')`.catch(() => {})
    },
  )
  await opened.worker({ pipelines: [swallowing] })
  const client = opened.client()
  const { run } = await client.start(swallowing, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'transaction_lost' } },
  })
  expect(await notes()).toEqual([])
})

test('E6 a tx step of a run that is cancelled meanwhile writes nothing, and its task is not left behind', async () => {
  const began = new Arrival()
  const go = new Arrival()
  const cancelled = pipeline('cancelled-tx').step('write', { tx: true }, async ({ sql }) => {
    await sql`insert into note values ('x', 'never')`
    began.arrive()
    await go.come
  })
  await opened.worker({ pipelines: [cancelled] })
  const client = opened.client()
  const { run } = await client.start(cancelled, null)
  await began.come
  await client.run(run!.id).cancel()
  go.arrive()
  await until(
    'the task is gone',
    async () =>
      (await database.query('select 1 from millrace.task where run_id = $1', [run!.id])).length === 0,
  )
  expect(await notes()).toEqual([])
  expect((await attemptsOf(database, run!.id)).map(({ outcome }) => outcome)).toEqual(['cancelled'])
  expect((await runOf(database, run!.id)).state).toBe('cancelled')
})

test('a tx step that times out loses its client at once: what it still sends is refused, and writes into no other transaction', async () => {
  const late = new Arrival<unknown>()
  const release = new Arrival()
  const slow = pipeline('slow-tx', { retry: { attempts: 1 } }).step(
    'write',
    { tx: true, timeout: 50 },
    async ({ tx }) => {
      await tx.query("insert into note values ('x', 'too late')")
      await release.come
      await tx
        .query("insert into note values ('x', 'after the end')")
        .catch((error: unknown) => late.arrive(error))
    },
  )
  await opened.worker({ pipelines: [slow], connectionsMax: 1 })
  const client = opened.client()
  const { run } = await client.start(slow, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'attempt_timeout' } },
  })
  release.arrive()
  expect(await late.come).toMatchObject({ code: 'transaction_misused' })
  expect(await notes()).toEqual([])
})

test('a tx step can use savepoints, but neither begin nor end the transaction', async () => {
  const codes: unknown[] = []
  const saving = pipeline('saving').step('write', { tx: true }, async ({ tx, sql }) => {
    await sql`insert into note values ('x', 'kept')`
    await tx.query('savepoint before')
    await sql`insert into note values ('x', 'kept')`.catch(() => tx.query('rollback to savepoint before'))
    for (const text of ['begin', ' COMMIT', 'rollback', 'end;', 'start transaction', 'abort']) {
      await tx.query(text).catch((error: { code: string }) => codes.push(error.code))
    }
  })
  await opened.worker({ pipelines: [saving] })
  const client = opened.client()
  const { run } = await client.start(saving, null)
  await client.run(run!.id).result()
  expect(await notes()).toEqual(['kept'])
  expect(codes).toEqual(Array(6).fill('transaction_misused'))
})

test('Drizzle and Kysely can wrap the client of a tx step', async () => {
  const note = pgTable('note', { run: textColumn().notNull(), text: textColumn().notNull() })
  const wrapped = pipeline('wrapped', {
    input: z.object({ fail: z.boolean() }),
    retry: { attempts: 1 },
  }).step('write', { tx: true }, async ({ tx, run, input }) => {
    const db = drizzle(tx)
    await db.insert(note).values({ run: run.id, text: 'drizzle' })
    const kysely = new Kysely<{ note: { run: string; text: string } }>({
      dialect: new PostgresDialect({ pool: { connect: async () => tx, end: async () => {} } }),
    })
    await kysely.insertInto('note').values({ run: run.id, text: 'kysely' }).execute()
    if (input.fail) throw new Error('both are undone')
    return (
      (await db.select().from(note)).length + (await kysely.selectFrom('note').selectAll().execute()).length
    )
  })
  await opened.worker({ pipelines: [wrapped] })
  const client = opened.client()
  const failing = await client.start(wrapped, { fail: true })
  await expect(client.run(failing.run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(await notes()).toEqual([])
  const { run } = await client.start(wrapped, { fail: false })
  expect(await client.run(run!.id).result()).toBe(4)
  expect(await notes()).toEqual(['drizzle', 'kysely'])
})

test('tx steps that wait for a connection for long are not failed for it', async () => {
  const gate = new Arrival()
  let running = 0
  const many = pipeline('many').step('write', { tx: true }, async () => {
    running++
    await gate.come
  })
  await opened.worker({ pipelines: [many], slots: 4, connectionsMax: 1 })
  const client = opened.client()
  const answers = await client.startMany(many, [null, null, null, null])
  await until('one runs', async () => running === 1)
  gate.arrive()
  await Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
  expect(running).toBe(4)
})

test('a tx step that ends its transaction behind another statement fails for good, and is not run again', async () => {
  const hidden = pipeline('hidden', { retry: { attempts: 3, initial: 0 } }).step(
    'write',
    { tx: true },
    async ({ tx }) => {
      await tx.query("insert into note values ('x', 'early'); commit")
      return 1
    },
  )
  await opened.worker({ pipelines: [hidden] })
  const client = opened.client()
  const { run } = await client.start(hidden, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const attempts = await database.query(
    "select outcome, error ->> 'code' as code from millrace.attempt where run_id = $1",
    [run!.id],
  )
  expect(attempts).toEqual([{ outcome: 'failed', code: 'transaction_misused' }])
})
