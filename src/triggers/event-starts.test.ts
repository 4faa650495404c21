// Events from client to run: emitted by applications and by steps, started by whichever worker hears of them.
import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { subscribe } from '../sdk/subscribe.ts'

const { database, opened } = await openMillrace()

beforeEach(async () => {
  await database.query('truncate millrace.subscription, millrace.emitted_event, millrace.event_start')
})

const enrich = pipeline('enrich', { input: z.object({ id: z.number() }) }).step(
  'look-up',
  ({ input }) => input.id * 2,
)

test('one event starts a run of each pipeline that subscribes to it in code, and the client sees what it started', async () => {
  const notify = pipeline('notify').step('tell', ({ input }) => input as never)
  const triggers = [
    subscribe('person.changed', { pipeline: enrich, filter: { kind: 'member' }, map: { id: 'person.id' } }),
    subscribe('person.changed', { pipeline: notify, name: 'notify-all' }),
  ]
  await opened.worker({ pipelines: [enrich, notify], triggers })
  const client = opened.client()
  const { id } = await client.emit('person.changed', { kind: 'member', person: { id: 21 } })
  const [event] = await until('it is worked off', async () => {
    const list = await client.events({ name: 'person.changed' })
    return list[0]?.settledAt ? list : false
  })
  expect(event).toMatchObject({
    id,
    origin: null,
    depth: 0,
    starts: [
      { subscription: 'enrich:person.changed', pipeline: 'enrich', refusal: null },
      { subscription: 'notify-all', pipeline: 'notify', refusal: null },
    ],
  })
  expect(await client.run(event!.starts[0]!.run!).result()).toBe(42)
})

test('a subscription with a mistake is refused where it is written', () => {
  const refused = (options: object) =>
    expect(() => subscribe('person.changed', { pipeline: 'enrich', ...options })).toThrow(
      expect.objectContaining({ code: 'subscription_invalid' }),
    )
  refused({ pipeline: undefined })
  refused({ map: { id: ['person.id', 'id'] } })
  refused({ filters: { kind: 'member' } })
})

test('an event of a tx step is of its transaction, names its step by itself, and a cycle is cut', async () => {
  let tries = 0
  const turn = pipeline('turn').step(
    'go',
    { tx: true, retry: { attempts: 2, initial: 1, jitter: 'none' } },
    async ({ tx, attempt }) => {
      await tx.query("select millrace.emit('turned', jsonb_build_object('attempt', $1::int))", [attempt])
      tries += 1
      if (attempt === 1) throw new Error('rolled back, with what it emitted')
      return null
    },
  )
  await opened.worker({
    pipelines: [turn],
    triggers: [subscribe('turned', { pipeline: turn, name: 'again' })],
  })
  const client = opened.client()
  const started = await client.start(turn, null)
  const events = await until('both have ended', async () => {
    const list = await client.events({ name: 'turned' })
    return list.length === 2 && list.every(({ settledAt }) => settledAt !== null) && list
  })
  const [last, first] = events
  expect(first).toMatchObject({
    payload: { attempt: 2 },
    origin: { run: started.run!.id, step: 'go' },
    depth: 0,
    starts: [{ refusal: null }],
  })
  expect(last).toMatchObject({
    origin: { run: first!.starts[0]!.run, step: 'go' },
    depth: 1,
    starts: [{ refusal: 'cycle' }],
  })
  expect(tries).toBe(4)
})

test('a subscription at run time starts, pauses, goes on and ends, and each change has its revision', async () => {
  await opened.worker({ pipelines: [enrich] })
  const client = opened.client()
  const settled = async () => {
    await until('all is worked off', async () =>
      (await client.events()).every(({ settledAt }) => settledAt !== null),
    )
    return (await client.events()).map(({ starts }) => starts.map(({ refusal }) => refusal ?? 'run'))
  }
  expect(
    await client.subscriptions.define('by-hand', 'person.changed', { pipeline: enrich, ifRevision: 0 }),
  ).toEqual({ revision: 1 })
  await client.emit('person.changed', { id: 1 })
  expect(await settled()).toEqual([['run']])
  expect(await client.subscriptions.pause('by-hand')).toBe(true)
  expect(await client.subscriptions.pause('by-hand')).toBe(false)
  await client.emit('person.changed', { id: 2 })
  expect(await settled()).toEqual([['paused'], ['run']])
  await client.subscriptions.resume('by-hand')
  await expect(client.subscriptions.remove('by-hand', { ifRevision: 1 })).rejects.toMatchObject({
    code: 'revision_conflict',
  })
  expect(await client.subscriptions.list('person.changed')).toMatchObject([
    { name: 'by-hand', source: 'operator', revision: 3, pausedAt: null },
  ])
  await client.subscriptions.remove('by-hand')
  await expect(client.subscriptions.remove('by-hand')).rejects.toMatchObject({ code: 'subscription_unknown' })
  await client.emit('person.changed', { id: 3 })
  expect(await settled()).toEqual([[], ['paused'], ['run']])
})

test('what is emitted in a transaction of the application goes with it', async () => {
  const client = opened.client()
  const connection = await database.pool.connect()
  await connection.query('begin')
  await client.emit('gone', null, { tx: connection })
  await connection.query('rollback')
  await connection.query('begin')
  const { id } = await client.emit('kept', { n: 1 }, { tx: connection, tenant: 'acme', idempotencyKey: 'k' })
  await connection.query('commit')
  connection.release()
  expect(await client.events()).toMatchObject([
    { id, name: 'kept', payload: { n: 1 }, tenant: 'acme', settledAt: null },
  ])
})
