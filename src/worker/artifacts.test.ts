// Artifacts: streamed in and out, seen only when they are whole, bounded, fenced, and gone with their run.
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { Arrival, openOn, type Opened } from '../../test/millrace.ts'
import { runOf } from '../../test/protocol.ts'
import { takeBackTask } from '../db/test-runs.ts'
import type { ArtifactSource } from '../sdk/artifacts.ts'
import type { StepContext } from '../sdk/context.ts'
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

let slugs = 0

/** Runs one step; the run, and the code with which it failed. */
async function runStep(work: (context: StepContext<null, object>) => unknown, attempts = 1) {
  const stepped = pipeline(`artifacts-${++slugs}`, {
    retry: { attempts, initial: '1ms', max: '1ms' },
  }).step('work', work)
  await opened.worker({ pipelines: [stepped] })
  const client = opened.client()
  const { run } = await client.start(stepped, null)
  const [result] = await Promise.allSettled([client.run(run!).result()])
  const { error } = await runOf(database, run!.id)
  return { run: client.run(run!.id), id: run!.id, result, code: error?.['code'] }
}

const setting = (name: string, value: number) =>
  database.query('update millrace.setting set value = to_jsonb($2::bigint) where name = $1', [name, value])

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

test('an artifact is streamed in and out, whatever its source, with its size, type and hash; an output may hold its reference', async () => {
  const bytes = randomBytes(2_621_443)
  const sources: Record<string, ArtifactSource> = {
    node: Readable.from(inPieces(bytes, 65_536)),
    web: Readable.toWeb(Readable.from(inPieces(bytes, 70_001))) as ReadableStream<Uint8Array>,
    iterable: inPieces(bytes, 3_000_000),
    whole: bytes,
    exact: bytes.subarray(0, 2_097_152),
    text: 'größer',
    empty: '',
  }
  const { run, id, result } = await runStep(async ({ artifacts }) => {
    const references = []
    for (const [name, source] of Object.entries(sources))
      references.push(await artifacts.write(name, source, { type: 'application/x-test' }))
    return references
  })
  expect(result).toMatchObject({ status: 'fulfilled' })
  const listed = await run.artifacts()
  expect(listed.map(({ artifact }) => artifact)).toEqual(Object.keys(sources))
  for (const name of ['node', 'web', 'iterable', 'whole']) {
    const artifact = await run.artifact(name)
    expect(artifact).toMatchObject({ run: id, size: bytes.length, type: 'application/x-test', step: 'work' })
    expect(artifact.sha256).toBe(sha256(bytes))
    expect(bytes.equals(await artifact.bytes())).toBe(true)
  }
  expect((await run.artifact('exact')).size).toBe(2_097_152)
  expect(await (await run.artifact('text')).text()).toBe('größer')
  expect(await (await run.artifact('empty')).text()).toBe('')
  const read: Buffer[] = []
  for await (const chunk of (await run.artifact('node')).stream()) read.push(chunk)
  expect(bytes.equals(Buffer.concat(read))).toBe(true)
  const web: Uint8Array[] = []
  for await (const chunk of (await run.artifact('web')).web()) web.push(chunk)
  expect(bytes.equals(Buffer.concat(web))).toBe(true)
  expect((result as PromiseFulfilledResult<unknown[]>).value[0]).toEqual({
    run: id,
    artifact: 'node',
    type: 'application/x-test',
    size: bytes.length,
    sha256: sha256(bytes),
  })
})

test('an artifact is seen only when it is whole: not while it is written, and not where its source fails', async () => {
  const [half, goOn] = [new Arrival(), new Arrival()]
  const writing = pipeline('half-way', { retry: { attempts: 1 } })
    .step('write', async ({ artifacts }) => {
      await artifacts.write(
        'slow',
        (async function* () {
          yield randomBytes(1_500_000)
          half.arrive()
          await goOn.come
          yield randomBytes(10)
        })(),
      )
    })
    .step('fail', async ({ artifacts }) => {
      await artifacts.write(
        'broken',
        (async function* () {
          yield randomBytes(1_200_000)
          throw new Error('the source broke')
        })(),
      )
    })
  await opened.worker({ pipelines: [writing] })
  const client = opened.client()
  const { run } = await client.start(writing, null)
  await half.come
  await until('a chunk is stored', async () => {
    const [row] = await database.query<{ size: number }>(
      'select size::int from millrace.artifact_upload where of_run = $1 and size > 0',
      [run!.id],
    )
    return row
  })
  expect(await client.run(run!).artifacts()).toEqual([])
  await expect(client.run(run!).artifact('slow')).rejects.toMatchObject({ code: 'artifact_unknown' })
  goOn.arrive()
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await client.run(run!).artifacts()).map(({ artifact }) => artifact)).toEqual(['slow'])
  // What was left behind goes, in batches, once nobody can be at it any more.
  await database.clock.advance('11 minutes')
  const prune = async () =>
    (await database.query<{ more: boolean }>('select millrace.prune_uploads(1) as more'))[0]!.more
  while (await prune());
  const chunks = await database.query<{ n: number }>(
    'select count(*)::int as n from millrace.artifact_chunk where run_id = $1',
    [run!.id],
  )
  expect(chunks).toEqual([{ n: 2 }])
  expect((await (await client.run(run!).artifact('slow')).bytes()).length).toBe(1_500_010)
})

test('A4 an attempt that has lost its task can neither go on writing an artifact nor finish it; the next attempt writes it whole', async () => {
  const [half, lost] = [new Arrival<string>(), new Arrival()]
  const { run, id, result } = await (async () => {
    const taken = half.come.then(async (runId) => {
      await takeBackTask(database.pool, { runId, step: 'work' }, 'its lease ran out')
      lost.arrive()
    })
    const ran = await runStep(async ({ artifacts, attempt, run: { id } }) => {
      const name = 'fenced'
      if (attempt > 1) return artifacts.write(name, 'of the second')
      return artifacts.write(
        name,
        (async function* () {
          yield randomBytes(1_100_000)
          half.arrive(id)
          await lost.come
          yield randomBytes(1_100_000)
        })(),
      )
    }, 3)
    await taken
    return ran
  })()
  expect(result).toMatchObject({ status: 'fulfilled' })
  expect(await (await run.artifact('fenced')).text()).toBe('of the second')
  const left = await database.query<{ n: number }>(
    'select count(*)::int as n from millrace.artifact where run_id = $1',
    [id],
  )
  expect(left).toEqual([{ n: 1 }])
})

test('an artifact that is too large, or too much for its run, is refused with a code, exactly at the bound', async () => {
  await setting('artifact_bytes_max', 2_000_000)
  await setting('run_artifact_bytes_max', 3_000_000)
  const fits = await runStep(async ({ artifacts }) => {
    await artifacts.write('a', Buffer.alloc(2_000_000))
    await artifacts.write('b', Buffer.alloc(1_000_000))
    // Written again it takes the place of the one before.
    await artifacts.write('a', Buffer.alloc(2_000_000))
  })
  expect(fits.result).toMatchObject({ status: 'fulfilled' })
  const large = await runStep(({ artifacts }) => artifacts.write('a', Buffer.alloc(2_000_001)))
  expect(large.code).toBe('artifact_too_large')
  const many = await runStep(({ artifacts }) =>
    Promise.all(['a', 'b', 'c', 'd'].map((name) => artifacts.write(name, Buffer.alloc(1_000_000)))),
  )
  expect(['artifacts_too_many', 'artifact_too_large']).toContain(many.code)
  expect(await many.run.artifacts()).toHaveLength(3)
  await setting('run_artifacts_max', 2)
  const counted = await runStep(async ({ artifacts }) => {
    for (const name of ['a', 'b', 'c']) await artifacts.write(name, 'x')
  })
  expect(counted.code).toBe('artifacts_too_many')
  await setting('artifact_bytes_max', 536_870_912)
  await setting('run_artifact_bytes_max', 2_147_483_648)
  await setting('run_artifacts_max', 1_000)
})

test('two items of a map can not write one name, and a later step reads what an earlier one wrote', async () => {
  const mapped = pipeline('mapped-artifacts', { retry: { attempts: 1 } })
    .step('list', async ({ artifacts }) => {
      await artifacts.write('first', 'of the list')
      return [0, 1]
    })
    .map(
      'each',
      { over: 'list', onError: 'skip' } as never,
      (async ({ artifacts, item }: never) => {
        await (artifacts as StepContext<null, object>['artifacts']).write('same', `item ${String(item)}`)
      }) as never,
    )
    .step('read', async ({ artifacts }) => (await artifacts.read('first')).text())
  await opened.worker({ pipelines: [mapped] })
  const client = opened.client()
  const { run } = await client.start(mapped, null)
  const [result] = await Promise.allSettled([client.run(run!).result()])
  const codes = await database.query<{ code: string }>(
    "select error ->> 'code' as code from millrace.attempt where run_id = $1 and outcome = 'failed'",
    [run!.id],
  )
  expect(codes).toEqual([{ code: 'artifact_name_taken' }])
  expect(result).toMatchObject({ status: 'fulfilled', value: 'of the list' })
})

test('a handler reads by reference only what belongs to its own tenant', async () => {
  const written = await runStep(({ artifacts }) => artifacts.write('mine', 'of nobody'))
  const reading = pipeline('reading-others', { retry: { attempts: 1 } }).step('read', async ({ artifacts }) =>
    (await artifacts.read({ run: written.id, artifact: 'mine' })).text(),
  )
  await opened.worker({ pipelines: [reading] })
  const client = opened.client()
  const [same, other] = [
    (await client.start(reading, null)).run!,
    (await client.start(reading, null, { tenant: 'another' })).run!,
  ]
  expect(await client.run(same).result()).toBe('of nobody')
  await expect(client.run(other).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await runOf(database, other.id)).error).toMatchObject({ code: 'artifact_unknown' })
})

test('bytes that are not those that were written are noticed at the end of reading', async () => {
  const { run, id } = await runStep(({ artifacts }) => artifacts.write('spoilt', Buffer.alloc(3_000_000, 1)))
  await database.query(
    'update millrace.artifact_chunk set bytes = set_byte(bytes, 5, 9) where run_id = $1 and position = 1',
    [id],
  )
  const artifact = await run.artifact('spoilt')
  await expect(artifact.bytes()).rejects.toMatchObject({ code: 'artifact_corrupt' })
  await database.query('delete from millrace.artifact_chunk where run_id = $1 and position = 2', [id])
  await expect(artifact.bytes()).rejects.toMatchObject({ code: 'artifact_corrupt' })
})

test('what is no name, no type or no source is refused', async () => {
  for (const write of [
    ['', 'x'],
    ['n'.repeat(201), 'x'],
    ['nul\0', 'x'],
    ['a', 12],
    ['b', [{}]],
    ['c', 'x', { type: '' }],
  ]) {
    const { code } = await runStep(({ artifacts }) =>
      (artifacts.write as (...given: unknown[]) => unknown)(...write),
    )
    expect(code).toBe('artifact_invalid')
  }
  const { result } = await runStep(({ artifacts }) => artifacts.write('', 'x'))
  expect(result).toMatchObject({
    reason: { message: expect.stringContaining("The name of an artifact of step 'work' is no text") },
  })
})

test('artifacts lie in the partition of their run, and go with it', async () => {
  await database.query('select millrace.create_partitions(1)')
  const { id } = await runStep(({ artifacts }) => artifacts.write('going', Buffer.alloc(1_200_000)))
  const rows = () =>
    database.query<{ n: number }>(
      'select (select count(*) from millrace.artifact where run_id = $1)::int + (select count(*) from millrace.artifact_chunk where run_id = $1)::int as n',
      [id],
    )
  expect(await rows()).toEqual([{ n: 3 }])
  // Or the worker cleans up at the same time, and only one of the two does.
  await opened.close()
  await database.clock.advance('60 days')
  // A call gives way to whoever uses the tables, and leaves the rest to the next.
  await until('its week is pruned', async () => {
    await database.query('select millrace.prune_history(1000)')
    return (await rows())[0]!.n === 0
  })
})
