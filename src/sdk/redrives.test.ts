// Redrives, forks and reruns through the client: what a worker does of them, what people are told, and what is refused before it is stored.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { openOn } from '../../test/millrace.ts'
import { pipeline } from './pipeline.ts'
import { z } from 'zod'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

test('E4 a failed run goes on with the durable calls that it had, and without the failure at their end', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const calls: string[] = []
  let broken = true
  const child = pipeline('child', { retry: { attempts: 1 } }).step('work', () => {
    if (broken) throw new Error('no 17')
    return 'made'
  })
  const parent = pipeline('parent', { retry: { attempts: 1 } }).step('work', async ({ durable }) => {
    const first = await durable.run('first', () => {
      calls.push('first')
      return 1
    })
    return [first, await durable.call(child, null)]
  })
  await opened.worker({ pipelines: [parent, child] })
  const { run } = await client.start(parent, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  broken = false
  expect(await client.run(run!).redrive({ reason: 'it was mended' })).toEqual({
    redriven: true,
    run: { id: run!.id },
  })
  expect(await client.run(run!).result()).toEqual([1, 'made'])
  expect(calls).toEqual(['first'])
  expect(await client.run(run!).redrive()).toMatchObject({ redriven: false, reason: 'redriven' })
  const { rows } = await database.pool.query(
    "select detail from millrace.event where run_id = $1 and kind = 'run.redriven'",
    [run!.id],
  )
  expect(rows[0].detail).toMatchObject({
    reason: 'it was mended',
    forgotten: [{ name: 'call#1', kind: 'call' }],
  })
  await opened.close()
})

test('an approval that nobody answered in time is asked again', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const asking = pipeline('asking').approval('ok', { expires: '1h' })
  await opened.worker({ pipelines: [asking] })
  const { run } = await client.start(asking, null)
  const open = async () => (await client.approvals.list()).filter(({ run: of }) => of === run!.id)
  await until('it asks', async () => (await open()).length === 1)
  await database.clock.advance('2 hours')
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(await client.run(run!).redrive()).toMatchObject({ redriven: true })
  await until('it asks again', async () => (await open()).length === 1)
  await client.approvals.decide((await open())[0]!.id, 'approve', { actor: 'Ada' })
  expect(await client.run(run!).result()).toMatchObject({ by: ['Ada'] })
  await opened.close()
})

test('a signal that did not fit counts for a corrected schema; from its step a new run waits for another one', async () => {
  const opened = openOn(database)
  const client = opened.client()
  let needed = true
  const payload = z.unknown().refine((value) => !needed || value !== null, 'it says nothing')
  const paying = pipeline('paying').signal('paid', { payload })
  await opened.worker({ pipelines: [paying] })
  const failed = async () => {
    const { run } = await client.start(paying, null)
    await client.signal('paid', null, { run: run!.id })
    await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
    return run!
  }
  const [wrong, right] = [await failed(), await failed()]
  const made = await client.run(wrong.id).redrive({ from: { step: 'paid' } })
  const anew = (made as { run: { id: string } }).run
  await client.signal('paid', { cents: 900 }, { run: anew.id })
  expect(await client.run(anew.id).result()).toMatchObject({ payload: { cents: 900 } })
  needed = false
  expect(await client.run(right.id).redrive()).toMatchObject({ redriven: true })
  expect(await client.run(right.id).result()).toMatchObject({ payload: null })
  await opened.close()
})

test('many are redriven by the workers, and the client tells how far they are', async () => {
  const opened = openOn(database)
  const client = opened.client()
  let broken = true
  const many = pipeline('many-of-them', { input: z.object({ n: z.number() }), retry: { attempts: 1 } }).step(
    'work',
    ({ input }) => {
      if (broken) throw new Error(`no ${input.n}`)
      return input.n
    },
  )
  await opened.worker({ pipelines: [many] })
  const answers = await client.startMany(
    many,
    Array.from({ length: 300 }, (_, n) => ({ n })),
  )
  await until(
    'all have failed',
    async () => ((await client.failures({ pipeline: 'many-of-them' }))[0]?.runs ?? 0) === 300,
  )
  const [kind, ...others] = await client.failures({ pipeline: 'many-of-them' })
  expect(others).toEqual([])
  expect(kind).toMatchObject({ runs: 300, step: 'work', code: 'Error' })
  broken = false
  const filter = { fingerprint: kind!.fingerprint }
  expect(await client.redrives.plan(filter)).toEqual({ runs: 300, refused: {} })
  const ordered = await client.redrives.start(filter, { idempotencyKey: 'mended' })
  expect((await client.redrives.start(filter, { idempotencyKey: 'mended' })).id).toBe(ordered.id)
  await until(
    'the redrive is through',
    async () => (await client.redrives.show(ordered.id)).state === 'completed',
  )
  expect(await client.redrives.show(ordered.id)).toMatchObject({ total: 300, done: 300, refused: 0 })
  expect(await client.redrives.runs(ordered.id, { limit: 1 })).toMatchObject([
    { state: 'done', newRun: null },
  ])
  expect((await client.redrives.list())[0]).toMatchObject({ id: ordered.id })
  expect(await client.redrives.abort(ordered.id)).toBe(false)
  for (const { run } of answers.slice(0, 5))
    expect(await client.run(run!).result()).toEqual(expect.any(Number))
  await expect(client.redrives.show('nonsense')).rejects.toMatchObject({ code: 'redrive_unknown' })
  await opened.close()
})

test('an edited input is held against the schema, and the lineage tells both ways where it differs', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const greet = pipeline('greet-again', { input: z.object({ name: z.string() }) })
    .step('load', ({ input }) => input.name)
    .step('say', ({ steps }) => `Hello ${steps.load}`)
  await opened.worker({ pipelines: [greet] })
  const { run } = await client.start(greet, { name: 'Ada' })
  expect(await client.run(run!).result()).toBe('Hello Ada')
  await expect(
    client.run(run!).rerun({ pipeline: greet, input: { name: 7 } as never }),
  ).rejects.toMatchObject({ code: 'input_invalid' })
  const rerun = await client.run(run!).rerun({ pipeline: greet, input: { name: 'Bea' }, reason: 'a typo' })
  const fork = await client.run(run!).fork('say')
  expect([rerun.created, fork.created]).toEqual([true, true])
  expect(await client.run(rerun.run!).result()).toBe('Hello Bea')
  expect(await client.run(fork.run!).result()).toBe('Hello Ada')
  expect(await client.run(rerun.run!).lineage()).toMatchObject({
    of: { run: run!.id, kind: 'rerun', difference: [{ path: ['name'], before: 'Ada', after: 'Bea' }] },
    into: [],
  })
  expect((await client.run(run!).lineage()).into.map(({ kind }) => kind).toSorted()).toEqual([
    'fork',
    'rerun',
  ])
  expect(await client.run(run!).redrive()).toMatchObject({ redriven: false, reason: 'not_failed' })
  await opened.close()
})

test('a fork with its checkpoints goes on from what its step had stored', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const calls: string[] = []
  const loop = pipeline('loop').step('work', async ({ durable }) => {
    for (const name of ['one', 'two']) await durable.run(name, () => calls.push(name))
    return calls.length
  })
  await opened.worker({ pipelines: [loop] })
  const { run } = await client.start(loop, null)
  await client.run(run!).result()
  const kept = await client.run(run!).fork('work', { keepCheckpoints: true })
  expect(await client.run(kept.run!).result()).toBe(2)
  expect(calls).toEqual(['one', 'two'])
  const afresh = await client.run(run!).fork('work')
  expect(await client.run(afresh.run!).result()).toBe(4)
  await opened.close()
})

test('JQ-10 a stale change is a conflict that holds the state that there is now', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const idle = pipeline('idle-one').step('work', () => 1)
  const { run } = await client.start(idle, null)
  const seen = await client.run(run!).revision()
  expect(await client.run(run!).pause('first', { ifRevision: seen })).toBe(true)
  await expect(client.run(run!).cancel('second', { ifRevision: seen })).rejects.toMatchObject({
    code: 'revision_conflict',
    fields: { runId: run!.id, seen, revision: seen + 1, state: 'pending', pausedAt: expect.any(String) },
  })
  expect(await client.run(run!).prioritize(1, { ifRevision: seen + 1 })).toBe(true)
  const pipelineSeen = await client.pipelineRevision('idle-one')
  await client.pausePipeline('idle-one', 'x', { ifRevision: pipelineSeen })
  await expect(client.resumePipeline('idle-one', { ifRevision: pipelineSeen })).rejects.toMatchObject({
    code: 'revision_conflict',
    fields: { pipeline: 'idle-one', pauseReason: 'x' },
  })
  await opened.close()
})
