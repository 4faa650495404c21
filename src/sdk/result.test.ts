// Results: told by the worker of the process, by notification, or by looking.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { createLogin } from '../../test/login.ts'
import { Arrival, asOther, countStatements, openMillrace } from '../../test/millrace.ts'
import { newId } from '../../test/protocol.ts'
import { openSilentServer } from '../../test/silent-server.ts'
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
  expect(statements.sent).not.toContain('millrace_watch_runs')
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
  expect(statements.sent.filter((name) => name === 'millrace_watch_runs').length).toBeLessThanOrEqual(3)
  expect(await client.run(run!).result()).toBe('from afar')
})

test('two hundred runs of other processes are awaited by a handful of statements, and each is told its own end', async () => {
  const hold = new Arrival()
  const many = pipeline('many-remote', { input: z.object({ n: z.number() }) }).step(
    'do',
    async ({ input }) => {
      await hold.come
      return input.n
    },
  )
  await opened.worker({ pipelines: [many] })
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(
    many,
    Array.from({ length: 200 }, (_, n) => ({ n })),
  )
  const statements = countStatements()
  const results = answers.map(({ run }) => client.run<typeof many>(run!).result())
  await isAwaited(answers.at(-1)!.run!.id)
  expect(statements.sent.filter((name) => name.startsWith('millrace_watch_run')).length).toBeLessThan(20)
  hold.arrive()
  expect(await Promise.all(results)).toEqual(Array.from({ length: 200 }, (_, n) => n))
  statements.stop()
  expect(statements.sent.filter((name) => name.startsWith('millrace_watch_run')).length).toBeLessThan(40)
})

test('a run that somebody’s open transaction holds delays no other’s result', async () => {
  await opened.worker({ pipelines: [kinds] })
  const client = opened.client({ database: asOther(database.url) })
  const held = await opened
    .client()
    .start(kinds, { kind: 'held' }, { availableAt: new Date(Date.now() + 3_600_000) })
  const free = await opened.client().start(kinds, { kind: 'free' })
  const stranger = await database.pool.connect()
  await stranger.query('begin')
  await stranger.query('select from millrace.run where id = $1 for update', [held.run!.id])
  const waiting = expect(client.run(held.run!).result()).rejects.toMatchObject({ code: 'run_cancelled' })
  expect(await client.run(free.run!).result()).toEqual({ kind: 'free' })
  const unknown = client.run(newId()).result()
  await expect(unknown).rejects.toMatchObject({ code: 'run_unknown' })
  await stranger.query('rollback')
  stranger.release()
  await isAwaited(held.run!.id)
  await opened.client().run(held.run!).cancel()
  await waiting
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

test('a database that says nothing is waited for no longer than told, and with 0 for as long as a look takes', async () => {
  const proxy = await openProxy(database.url)
  const client = opened.client({ database: proxy.through(database.url) })
  const { run } = await client.start(kinds, { kind: 'silence' })
  await expect(client.run(run!).result({ timeoutMs: 0 })).rejects.toMatchObject({
    code: 'wait_timeout',
    message: `Run ${run!.id} did not end within 0 ms; it goes on by itself.`,
  })
  proxy.blackhole()
  await expect(client.run(run!).result({ timeoutMs: 50 })).rejects.toMatchObject({
    code: 'wait_timeout',
    message: expect.stringMatching(/^Whether run \S+ ended within 50 ms is not known, since/),
  })
  proxy.cut()
  proxy.heal()
  await client.close()
  await proxy.close()
})

test('however short the time is, the database is asked, also where the connection for notifications is slow to come', async () => {
  const silent = await openSilentServer()
  const direct = new URL(database.url)
  direct.host = `127.0.0.1:${silent.port}`
  const client = opened.client({ directDatabase: direct.href })
  const { run } = await client.start(kinds, { kind: 'slow news' })
  await client.run(run!).cancel()
  await expect(client.run(run!).result({ timeoutMs: 500 })).rejects.toMatchObject({ code: 'run_cancelled' })
  silent.close()
  await client.close()
})

test.each([Number.NaN, -1, 'soon'])('a time to wait of %s is refused', async (timeoutMs) => {
  const waiting = opened
    .client()
    .run(newId())
    .result({ timeoutMs: timeoutMs as number })
  await expect(waiting).rejects.toMatchObject({ code: 'argument_invalid', fields: { argument: 'timeoutMs' } })
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
