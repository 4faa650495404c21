// Results: told by the worker of the process, by notification, or by looking.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { createLogin } from '../../test/login.ts'
import { Arrival, asOther, countStatements, openMillrace } from '../../test/millrace.ts'
import { newId } from '../../test/protocol.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()

const kinds = pipeline('kinds', { input: z.object({ kind: z.string() }), retry: { attempts: 1 } }).step(
  'do',
  ({ input }) => {
    if (input.kind === 'bad') throw new Error('it is bad')
    return { kind: input.kind }
  },
)

const isAwaited = (run: string) =>
  until(
    'the interest is registered',
    async () =>
      (await database.query('select 1 from millrace.run_watch where run_id = $1', [run])).length === 1,
  )

test('a run of this process is awaited without a statement of its own', async () => {
  await opened.worker({ pipelines: [kinds] })
  const client = opened.client()
  await client.start(kinds, { kind: 'first' }).then(({ run }) => client.run(run!).result())
  const statements = countStatements()
  const outputs = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      const { run } = await client.start(kinds, { kind: `k${n}` })
      return client.run<typeof kinds>(run!).result()
    }),
  )
  statements.stop()
  expect(outputs).toEqual(Array.from({ length: 10 }, (_, n) => ({ kind: `k${n}` })))
  expect(statements.sent).not.toContain('millrace_watch_run')
})

test('two that wait for the same run are both told', async () => {
  const hold = new Arrival()
  const slow = pipeline('slow').step('do', async () => {
    await hold.come
    return 1
  })
  await opened.worker({ pipelines: [slow] })
  const client = opened.client()
  const { run } = await client.start(slow, null)
  const both = [
    client.run(run!).result(),
    client.run(run!).result(),
    opened
      .client({ database: asOther(database.url) })
      .run(run!)
      .result(),
  ]
  hold.arrive()
  expect(await Promise.all(both)).toEqual([1, 1, 1])
})

test('a run of another process is heard of by notification: the database is asked twice, not again and again', async () => {
  const hold = new Arrival()
  const remote = pipeline('remote').step('do', async () => {
    await hold.come
    return 'from afar'
  })
  await opened.worker({ pipelines: [remote] })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(remote, null)
  const statements = countStatements()
  const result = client.run(run!).result()
  await isAwaited(run!.id)
  hold.arrive()
  expect(await result).toBe('from afar')
  statements.stop()
  expect(statements.sent.filter((name) => name === 'millrace_watch_run').length).toBeLessThanOrEqual(3)
  expect(await client.run(run!).result()).toBe('from afar')
})

test('a failed, a cancelled and an unknown run reject with what happened, whoever ran them', async () => {
  await opened.worker({ pipelines: [kinds] })
  const near = opened.client()
  const far = opened.client({ database: asOther(database.url) })
  for (const client of [near, far]) {
    const bad = await client.start(kinds, { kind: 'bad' })
    await expect(client.run(bad.run!).result()).rejects.toMatchObject({
      code: 'run_failed',
      message: expect.stringMatching(/failed in step 'do': it is bad/),
      fields: { runId: bad.run!.id, error: { message: 'it is bad', step: 'do' } },
    })
    const never = await client.start(
      kinds,
      { kind: 'late' },
      { availableAt: new Date(Date.now() + 3_600_000) },
    )
    const waiting = expect(client.run(never.run!).result()).rejects.toMatchObject({ code: 'run_cancelled' })
    await client.run(never.run!).cancel()
    await waiting
    await expect(client.run(newId()).result()).rejects.toMatchObject({ code: 'run_unknown' })
  }
})

test('whoever waits no longer than so long is told so, and the run goes on', async () => {
  const client = opened.client()
  const { run } = await client.start(kinds, { kind: 'nobody serves it' })
  await expect(client.run(run!).result({ timeoutMs: 30 })).rejects.toMatchObject({
    code: 'wait_timeout',
    fields: { timeoutMs: 30 },
  })
  await opened.worker({ pipelines: [kinds] })
  expect(await client.run(run!).result()).toEqual({ kind: 'nobody serves it' })
})

test('closing the client ends the waiting for results', async () => {
  const client = opened.client()
  const { run } = await client.start(kinds, { kind: 'nobody serves it' })
  const waiting = expect(client.run(run!).result()).rejects.toMatchObject({ code: 'client_closed' })
  await isAwaited(run!.id)
  await client.close()
  await waiting
})

test.each([
  ['without a connection left', 'connection limit 0', 'connection limit -1'],
  ['read-only', 'set default_transaction_read_only = on', 'set default_transaction_read_only = off'],
])('a server that is %s for a while, while a result is awaited, is waited for', async (_, change, undo) => {
  const login = await createLogin(database, 'millrace_operator')
  const client = opened.client({ database: login.url })
  const { run } = await opened.client().start(kinds, { kind: change })
  const result = client.run(run!).result()
  await isAwaited(run!.id)
  await login.alter(change)
  await login.cutOff()
  await expect(client.run(run!).result({ timeoutMs: 100 })).rejects.toMatchObject({
    code: 'wait_timeout',
    message: expect.stringMatching(
      /^Whether run \S+ ended within 100 ms is not known, since the database can't/,
    ),
    cause: { code: expect.stringMatching(/^database_(full|read_only)$/) },
  })
  await opened.worker({ pipelines: [kinds] })
  expect(await opened.client().run(run!).result()).toEqual({ kind: change })
  await login.alter(undo)
  await login.cutOff()
  expect(await result).toEqual({ kind: change })
  await client.close()
  await login.close()
})

test('a database that goes away while a result is awaited is waited for', async () => {
  const proxy = await openProxy(database.url)
  const client = opened.client({ database: proxy.through(database.url) })
  const { run } = await client.start(kinds, { kind: 'through' })
  const result = client.run(run!).result()
  await isAwaited(run!.id)
  proxy.refuse()
  proxy.cut()
  await opened.worker({ pipelines: [kinds] })
  const near = opened.client()
  expect(await near.run(run!).result()).toEqual({ kind: 'through' })
  proxy.heal()
  expect(await result).toEqual({ kind: 'through' })
  await client.close()
  await proxy.close()
})
