// What happens to a batch of deliveries when its answer is lost, or the database refuses one of them.
import { randomBytes, randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { chain, registerPipeline } from '../../test/protocol.ts'
import { MillraceError } from '../core/errors.ts'
import { createRunIds } from '../core/uuid.ts'
import { type Caller, clientCaller, poolCaller } from '../db/call.ts'
import { type DeliveryRow, receiveDeliveries } from '../db/deliveries.ts'
import { defineWebhooks } from '../db/webhooks.ts'
import { DeliveryBatches } from './delivery-batches.ts'
import { pipeline } from './pipeline.ts'
import { createCipher } from './sealed-runs.ts'
import { pendingStart } from './start.ts'

const { database, opened } = await openMillrace()
const caller = poolCaller(database.pool, { prepare: false, database: 'test' })
const echo = pipeline('echo').step('say', ({ input }) => input)
const newId = createRunIds({ now: Date.now, random: (n) => Buffer.from(randomUUID()).subarray(0, n) })

beforeAll(async () => {
  await opened.client().start(echo, null)
  await database.query('delete from millrace.run')
  await defineWebhooks(
    caller,
    [{ name: 'w', provider: 'standard', pipelines: ['echo'], secrets: ['s'], kept_days: 1, settings: {} }],
    null,
  )
})

function accepted(providerId: string | null): DeliveryRow {
  return {
    id: newId(),
    webhook: 'w',
    provider_id: providerId,
    tenant: null,
    state: 'accepted',
    status: 202,
    reason: null,
    problem: null,
    content_type: 'application/json',
    headers: {},
    source_ip: null,
    sealed_body: null,
    body_bytes: 2,
    body_digest: null,
    replay_of: null,
    seen_state: null,
    again: false,
  }
}

const startOf = (input: unknown, slug = 'echo') =>
  pendingStart({ slug, version: null, id: newId(), input }, {})

/** Commits each call, and loses the answer of the first. */
function losingFirst(onCall = () => {}): Caller {
  let isLost = false
  return {
    call: async (statement, values) => {
      onCall()
      const rows = await caller.call(statement, values)
      if (isLost) return rows as never
      isLost = true
      throw new MillraceError('database_unreachable', 'The answer was lost.')
    },
  }
}

const counts = async () =>
  (
    await database.query<{ deliveries: number; runs: number }>(
      'select (select count(*)::int from millrace.delivery) as deliveries, (select count(*)::int from millrace.run) as runs',
    )
  )[0]

test('FO-5 deliveries whose answer is lost after the commit are sent again, and are the same deliveries', async () => {
  let calls = 0
  const losing = losingFirst(() => calls++)
  const batches = new DeliveryBatches(() => Promise.resolve(losing))
  const before = await counts()
  const rows = [accepted('lost-1'), accepted(null)]
  const answers = await Promise.all(
    rows.map((row) => batches.receive({ row, body: Buffer.from('{}'), starts: [startOf(1)] })),
  )
  expect(calls).toBe(2)
  expect(answers.map(({ delivery_id, state }) => [delivery_id, state])).toEqual(
    rows.map(({ id }) => [id, 'accepted']),
  )
  expect(await counts()).toEqual({ deliveries: before!.deliveries + 2, runs: before!.runs + 2 })
})

test('FO-5 what arrives while a call is on its way goes with the next one; one that the database refuses fails alone', async () => {
  let calls = 0
  const counting: Caller = {
    call: (statement, values) => {
      calls++
      return caller.call(statement, values)
    },
  }
  const batches = new DeliveryBatches(() => Promise.resolve(counting))
  const good = Array.from({ length: 50 }, (_, n) => ({
    row: accepted(`good-${n}`),
    body: Buffer.from('{}'),
    starts: [startOf(n)],
  }))
  await Promise.all(good.map((delivery) => batches.receive(delivery)))
  expect(calls).toBe(1)
  const before = await counts()
  const bad = { row: accepted('bad'), body: Buffer.from('{}'), starts: [startOf(1, 'nowhere')] }
  const again = good.map(({ row, ...rest }) => ({ ...rest, row: { ...row, id: newId() } }))
  const [failed, ...repeats] = await Promise.all([bad, ...again].map((delivery) => batches.receive(delivery)))
  expect(failed).toMatchObject({ state: 'failed', status: 500, reason: 'pipeline_unknown' })
  expect(repeats.every(({ is_repeat, state }) => is_repeat && state === 'accepted')).toBe(true)
  expect(repeats.map(({ delivery_id }) => delivery_id)).toEqual(good.map(({ row }) => row.id))
  expect(await counts()).toEqual({ deliveries: before!.deliveries + 1, runs: before!.runs })
})

test('FO-5 a replay of one that failed starts nothing where its sender came again after the look at it', async () => {
  const batches = new DeliveryBatches(() => Promise.resolve(caller))
  const first = { ...accepted('meeting'), state: 'failed' as const, status: 500, reason: 'map_failed' }
  await batches.receive({ row: first, body: Buffer.from('{}'), starts: [] })
  await batches.receive({ row: accepted('meeting'), body: Buffer.from('{}'), starts: [startOf(1)] })
  const before = await counts()
  const replay = { ...accepted('meeting'), replay_of: first.id, seen_state: 'failed' as const }
  const answer = await batches.receive({ row: replay, body: null, starts: [startOf(1)] })
  expect(answer).toMatchObject({ delivery_id: first.id, state: 'accepted', is_repeat: true })
  expect(await counts()).toEqual(before)
  const again = { ...replay, id: newId(), again: true }
  expect((await batches.receive({ row: again, body: null, starts: [startOf(1)] })).is_repeat).toBe(false)
})

test('FO-5 two replays at once of a delivery whose sender gave it no id are one', async () => {
  const batches = new DeliveryBatches(() => Promise.resolve(caller))
  const original = { ...accepted(null), state: 'failed' as const, status: 500, reason: 'map_failed' }
  await batches.receive({ row: original, body: Buffer.from('{}'), starts: [] })
  const before = await counts()
  const replays = [1, 2].map(() => ({
    ...accepted(null),
    replay_of: original.id,
    seen_state: 'failed' as const,
  }))
  const answers = await Promise.all(
    replays.map((row) => batches.receive({ row, body: null, starts: [startOf(1)] })),
  )
  expect(answers.map(({ delivery_id, is_repeat }) => [delivery_id, is_repeat])).toEqual([
    [replays[0]!.id, false],
    [replays[0]!.id, true],
  ])
  expect(await counts()).toEqual({ deliveries: before!.deliveries + 1, runs: before!.runs + 1 })
  const rows = replays.map((row) => ({ ...row, id: newId() }))
  await expect(receiveDeliveries(caller, rows, [null, null], [])).rejects.toMatchObject({
    code: 'argument_invalid',
    message: expect.stringContaining('no two are the same') as string,
  })
})

test('FO-5 a replay that fails, and whose answer is lost, does not start again what the delivery that it is of has started', async () => {
  await registerPipeline(database, 'resting', chain('only'))
  const starts = () => [startOf(1), startOf(1, 'resting')]
  const batches = new DeliveryBatches(() => Promise.resolve(caller))
  const original = accepted('half')
  const before = await counts()
  await database.query("select millrace.pause_pipeline('resting')")
  const half = { delivery_id: original.id, state: 'failed', reason: 'paused' }
  expect(await batches.receive({ row: original, body: Buffer.from('{}'), starts: starts() })).toMatchObject(
    half,
  )
  const replay = { ...accepted('half'), replay_of: original.id, seen_state: 'failed' as const }
  const losing = new DeliveryBatches(() => Promise.resolve(losingFirst()))
  const answer = await losing.receive({ row: replay, body: null, starts: starts() })
  expect(answer).toMatchObject({ ...half, delivery_id: replay.id })
  expect(await counts()).toEqual({ deliveries: before!.deliveries + 2, runs: before!.runs + 1 })
  await database.query("select millrace.resume_pipeline('resting')")
  const last = { ...replay, id: newId() }
  expect(await batches.receive({ row: last, body: null, starts: starts() })).toMatchObject({
    state: 'accepted',
  })
  expect((await counts())!.runs).toBe(before!.runs + 2)
})

test.each([
  ['a delivery', 'a repeat of it', (row: DeliveryRow) => ({ ...row, id: newId() })],
  ['a replay', 'another replay', (row: DeliveryRow) => ({ ...row, id: newId() })],
])('FO-5 while %s is being received, %s waits, and finds it', async (what, _, other) => {
  const original = accepted(`of ${what}`)
  if (what === 'a replay') await receiveDeliveries(caller, [original], [null], [])
  const one = what === 'a replay' ? { ...original, id: newId(), replay_of: original.id } : original
  const start = (input: number) => {
    const { row } = startOf(input)
    return [{ place: 1, runId: row.id, slug: row.slug, version: row.version, input: row.input }]
  }
  const client = await database.pool.connect()
  try {
    await client.query('begin')
    const [first] = await receiveDeliveries(clientCaller(client), [one], [null], start(1))
    let isBack = false
    const second = receiveDeliveries(caller, [other(one)], [null], start(2)).finally(() => {
      isBack = true
    })
    await until('the other one waits', async () => {
      const waiting = await database.query(
        `select 1 from pg_locks where locktype = 'advisory' and classid = 77432 and not granted`,
      )
      return isBack || waiting.length === 1
    })
    expect(isBack).toBe(false)
    await client.query('commit')
    expect(await second).toMatchObject([{ delivery_id: first!.delivery_id, is_repeat: true }])
  } finally {
    client.release()
  }
})

test('a delivery whose start waits for what an open transaction holds is kept to come again, and holds up no other one', async () => {
  await registerPipeline(database, 'held', chain('only'), [['account']])
  const batches = new DeliveryBatches(() => Promise.resolve(caller))
  const receive = (id: string, input: unknown, slug?: string) =>
    batches.receive({ row: accepted(id), body: Buffer.from('{}'), starts: [startOf(input, slug)] })
  const client = await database.pool.connect()
  try {
    await client.query('begin')
    await client.query(`select millrace.start_run('held', '{"account": 7}')`)
    const held = [1, 2, 3].map((n) => receive(`held-${n}`, { account: 7 }, 'held'))
    expect(await receive('free', 1)).toMatchObject({ state: 'accepted', status: 202 })
    const waited = expect.stringContaining('an open transaction holds') as string
    for (const answer of await Promise.all(held))
      expect(answer).toMatchObject({
        state: 'failed',
        status: 503,
        reason: 'held_up',
        is_repeat: false,
        problem: waited,
      })
    await client.query('rollback')
  } finally {
    client.release()
  }
  expect(await receive('held-1', { account: 7 }, 'held')).toMatchObject({
    state: 'accepted',
    is_repeat: false,
  })
})

test('FO-5 a database that cannot be reached is told to who waits, and to nobody else', async () => {
  const dead: Caller = {
    call: () => Promise.reject(new MillraceError('database_unreachable', 'It is gone.')),
  }
  let current = dead
  const batches = new DeliveryBatches(() => Promise.resolve(current))
  const receive = (id: string) => batches.receive({ row: accepted(id), body: null, starts: [] })
  await expect(receive('gone')).rejects.toMatchObject({ code: 'database_unreachable' })
  current = caller
  expect(await receive('back')).toMatchObject({ state: 'accepted' })
})

test('FO-5 a delivery to an encrypted pipeline that comes in the clear is started, and kept without its body and its hash', async () => {
  const sealed = pipeline('sealed', { encrypt: true }).step('say', ({ input }) => input)
  const encryptionKeys = { k1: randomBytes(32).toString('base64') }
  await opened.client({ encryptionKeys }).start(sealed, null)
  const [cipher, sent] = [createCipher(encryptionKeys), { slug: 'sealed', version: null, input: 'a secret' }]
  const start = pendingStart({ ...sent, id: newId(), encrypt: sealed.graph.encrypt ?? null }, {}, cipher)
  const row = { ...accepted('clear'), body_digest: '00'.repeat(32) }
  const batches = new DeliveryBatches(() => Promise.resolve(caller))
  const [clear, other] = await Promise.all([
    batches.receive({ row, body: Buffer.from('"a secret"'), starts: [start] }),
    batches.receive({ row: accepted('not sealed'), body: Buffer.from('1'), starts: [startOf(1)] }),
  ])
  expect([clear.state, other.state]).toEqual(['accepted', 'accepted'])
  expect(
    await database.query(
      'select body is null as is_hidden, body_digest from millrace.delivery where id = any ($1) order by id',
      [[clear.delivery_id, other.delivery_id]],
    ),
  ).toEqual([
    { is_hidden: true, body_digest: null },
    { is_hidden: false, body_digest: null },
  ])
})
