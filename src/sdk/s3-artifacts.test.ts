// Artifacts in S3 by its own SDK, over a socket: written in parts, read back, replaced and removed, and nothing left of what failed.
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { openOn, type Opened } from '../../test/millrace.ts'
import { pruneAll, runOf } from '../../test/protocol.ts'
import { type S3Server, startS3Server } from '../../test/s3-server.ts'
import { createPool, describeDatabase } from '../db/connection.ts'
import { poolCaller } from '../db/call.ts'
import { clearAway } from '../worker/housekeeping.ts'
import { pipeline } from './pipeline.ts'
import { s3Artifacts } from './s3-artifacts.ts'

let database: TestDatabase
let opened: Opened
let server: S3Server
beforeAll(async () => {
  database = await createTestDatabase()
  opened = openOn(database)
  server = await startS3Server()
})
afterEach(async () => {
  await opened.close()
  await database.clock.reset()
})
afterAll(async () => {
  await server.close()
  await database.close()
})

const store = () =>
  s3Artifacts({
    bucket: 'runs',
    region: 'eu-central-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'key' },
  })

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

test('an artifact of several parts is written to S3 and read back by a client that has the store, and by no other', async () => {
  const bytes = randomBytes(18_000_001)
  const artifacts = store()
  const writing = pipeline('to-s3').step('write', async ({ artifacts }) => {
    await artifacts.write('small', 'a few bytes', { type: 'text/plain' })
    return artifacts.write('large', inPieces(bytes, 300_000), { type: 'application/x-large' })
  })
  await opened.worker({ pipelines: [writing], artifacts })
  const client = opened.client({ artifacts })
  const { run } = await client.start(writing, null)
  expect(await client.run(run!).result()).toMatchObject({
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  })
  expect(await (await client.run(run!).artifact('small')).text()).toBe('a few bytes')
  expect(bytes.equals(await (await client.run(run!).artifact('large')).bytes())).toBe(true)
  expect([...server.objects.values()].map(({ type }) => type).sort()).toEqual([
    'application/x-large',
    'text/plain',
  ])
  expect(server.openUploads).toBe(0)
  expect(await database.query('select from millrace.artifact_chunk')).toEqual([])
  await expect(opened.client().run(run!).artifact('small')).rejects.toMatchObject({
    code: 'artifact_store_missing',
  })
})

test('what is aborted while the SDK is being loaded is not sent', async () => {
  const aborting = new AbortController()
  const before = server.objects.size
  const writing = store().write('aborted', inPieces(randomBytes(1_000), 100), {
    type: 'text/plain',
    abort: aborting.signal,
  })
  aborting.abort(new Error('the attempt has ended'))
  await expect(writing).rejects.toThrow('the attempt has ended')
  expect([server.objects.size - before, server.openUploads]).toEqual([0, 0])
})

test('a source that fails half-way leaves neither an artifact nor parts of an object', async () => {
  const failing = pipeline('s3-fails', { retry: { attempts: 1 } }).step('write', ({ artifacts }) =>
    artifacts.write(
      'broken',
      (async function* () {
        yield randomBytes(17_000_000)
        throw new Error('the source broke')
      })(),
    ),
  )
  const before = server.objects.size
  const artifacts = store()
  await opened.worker({ pipelines: [failing], artifacts })
  const client = opened.client({ artifacts })
  const { run } = await client.start(failing, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await runOf(database, run!.id)).error).toMatchObject({ message: 'the source broke' })
  expect(await client.run(run!).artifacts()).toEqual([])
  expect([server.objects.size - before, server.openUploads]).toEqual([0, 0])
})

test('an S3 that refuses for a while is asked again, and then the artifact is whole', async () => {
  const writing = pipeline('s3-refuses').step('write', ({ artifacts }) => artifacts.write('a', 'whole'))
  const artifacts = store()
  await opened.worker({ pipelines: [writing], artifacts })
  const client = opened.client({ artifacts })
  server.fail('PUT', 503, 2)
  const { run } = await client.start(writing, null)
  await client.run(run!).result()
  expect(await (await client.run(run!).artifact('a')).text()).toBe('whole')
})

const refuse = (error: unknown) => {
  throw error
}

test('objects go with their run, when they are replaced, and when their run was deleted', async () => {
  server.objects.clear()
  const artifacts = store()
  const writing = pipeline('s3-goes').step('write', async ({ artifacts }) => {
    await artifacts.write('twice', 'first')
    await artifacts.write('twice', 'second')
    await artifacts.write('once', 'x')
  })
  await database.query('select millrace.create_partitions(1)')
  await opened.worker({ pipelines: [writing], artifacts })
  const client = opened.client({ artifacts })
  const { run } = await client.start(writing, null)
  await client.run(run!).result()
  expect(await (await client.run(run!).artifact('twice')).text()).toBe('second')
  expect(server.objects.size).toBe(3)
  const pool = createPool({ connectionString: database.url, connectionsMax: 1 })
  const caller = poolCaller(pool, { prepare: false, database: describeDatabase(database.url) })
  await clearAway(caller, artifacts, () => true, refuse)
  // Somebody may be reading what was replaced.
  expect(server.objects.size).toBe(3)
  await database.clock.advance('11 minutes')
  await clearAway(caller, artifacts, () => true, refuse)
  expect([...server.objects.values()].map(({ bytes }) => bytes.toString()).sort()).toEqual(['second', 'x'])
  await database.clock.advance('60 days')
  await pruneAll(database)
  await database.clock.advance('11 minutes')
  await clearAway(caller, artifacts, () => true, refuse)
  expect(server.objects.size).toBe(0)
  expect(await database.query('select from millrace.artifact_upload')).toEqual([])
  await pool.end()
})
