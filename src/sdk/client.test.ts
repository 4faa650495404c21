// The client: versions, what people do to runs and pipelines, closing, and what is wrong with an address.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openMillrace } from '../../test/millrace.ts'
import { newId, runOf, untilBlocked } from '../../test/protocol.ts'
import { connect } from './client.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()

const input = z.object({ n: z.int() })
const one = pipeline('one', { input }).step('do', ({ input }) => input.n)

test('the input is checked by its schema before anything is sent', async () => {
  const client = opened.client()
  await expect(client.start(one, { n: 1.5 })).rejects.toMatchObject({
    code: 'input_invalid',
    message: expect.stringContaining('n:'),
  })
})

test('two pipelines with the same graph are two pipelines, each with its own version', async () => {
  const changed = pipeline('twin-a', { input }).step('do', { timeout: '1m' }, ({ input }) => input.n)
  const a = pipeline('twin-a', { input }).step('do', ({ input }) => input.n)
  const b = pipeline('twin-b', { input }).step('do', ({ input }) => input.n)
  const client = opened.client()
  await client.start(changed, { n: 1 })
  const first = await client.start(a, { n: 1 })
  const second = await client.start(b, { n: 1 })
  const of = async (id: string) =>
    (await database.query('select slug, version from millrace.run where id = $1', [id]))[0]
  expect(await of(first.run!.id)).toEqual({ slug: 'twin-a', version: 2 })
  expect(await of(second.run!.id)).toEqual({ slug: 'twin-b', version: 1 })
})

test('a pipeline can be started by its name, with the version that was activated last', async () => {
  const client = opened.client()
  await client.start(one, { n: 1 })
  const { run } = await client.start('one', { n: 2 })
  expect(await runOf(database, run!.id)).toMatchObject({ state: 'pending' })
  await expect(client.start('nobody', {})).rejects.toMatchObject({ code: 'pipeline_unknown' })
})

test('runs are cancelled, paused and resumed, and each says whether that changed anything', async () => {
  const client = opened.client()
  const { run } = await client.start(one, { n: 1 })
  const handle = client.run(run!)
  expect([await handle.pause('a test'), await handle.pause()]).toEqual([true, false])
  expect([await handle.resume(), await handle.resume()]).toEqual([true, false])
  expect([await handle.cancel('a test'), await handle.cancel()]).toEqual([true, false])
  await expect(client.run(newId()).cancel()).rejects.toMatchObject({ code: 'run_unknown' })
  expect(() => client.run("' or true")).toThrow(expect.objectContaining({ code: 'run_unknown' }))
})

test('a paused run is not claimed, and goes on when it is resumed', async () => {
  const client = opened.client()
  const { run } = await client.start(one, { n: 9 })
  await client.run(run!).pause()
  const worker = await opened.worker({ pipelines: [one] })
  await worker.tick()
  expect((await runOf(database, run!.id)).state).toBe('pending')
  await client.run(run!).resume()
  expect(await client.run<typeof one>(run!).result()).toBe(9)
})

test('a paused pipeline refuses starts and its tasks are not claimed until it is resumed', async () => {
  const client = opened.client()
  const { run } = await client.start(one, { n: 3 })
  expect(await client.pausePipeline('one', 'a test')).toBe(true)
  const worker = await opened.worker({ pipelines: [one] })
  await worker.tick()
  expect((await runOf(database, run!.id)).state).toBe('pending')
  expect(await client.start(one, { n: 4 })).toMatchObject({ created: false, reason: 'paused', run: null })
  expect(await client.resumePipeline('one')).toBe(true)
  expect(await client.run(run!).result()).toBe(3)
  await expect(client.pausePipeline('nobody')).rejects.toMatchObject({ code: 'pipeline_unknown' })
})

test('closing waits for the starts under way, and nothing begins after it', async () => {
  const client = opened.client()
  const under = Array.from({ length: 20 }, (_, n) => client.start(one, { n }))
  await client.close()
  const answers = await Promise.all(under)
  for (const { run } of answers) expect((await runOf(database, run!.id)).state).toBe('pending')
  await expect(client.start(one, { n: 1 })).rejects.toMatchObject({ code: 'client_closed' })
  await client.close()
})

test('PP-C13 what is wrong with the connection string is said without the password', async () => {
  expect(() => connect({ database: 'postgres://me:secret@host:port/x' })).toThrow(
    expect.objectContaining({
      code: 'connection_string_invalid',
      message: expect.not.stringContaining('secret'),
    }),
  )
  const client = connect({ database: 'postgres://me:secret@127.0.0.1:1/x' })
  await expect(client.start(one, { n: 1 })).rejects.toMatchObject({
    code: 'database_unreachable',
    message: expect.not.stringContaining('secret'),
  })
  await client.close()
})

test('a client that closes finishes what waits for a connection as well, and every close waits for that', async () => {
  const client = opened.client({ connectionsMax: 1 })
  const { run } = await client.start(one, { n: 1 })
  const holder = await database.pool.connect()
  await holder.query('begin')
  await holder.query('select 1 from millrace.run where id = $1 for update', [run!.id])
  const cancelled = client.run(run!.id).cancel()
  await untilBlocked(database)
  const sent = client.signal('closing')
  let closed = 0
  const closes = [client.close(), client.close()].map((close) => close.then(() => closed++))
  await untilBlocked(database)
  expect(closed).toBe(0)
  await holder.query('commit')
  holder.release()
  expect(await cancelled).toBe(true)
  await sent
  await Promise.all(closes)
})
