// What may go wrong around a webhook: nothing that its sender proved is lost, nothing of it lies where it must not, and nobody learns more than he has to.
import { createHash, randomBytes } from 'node:crypto'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { send, sendRaw, type SendOptions, type Sent } from '../../test/webhook-sender.ts'
import { schemes, signatureOf } from '../core/webhook-scheme.ts'
import type { Client } from './client.ts'
import { pipeline } from './pipeline.ts'
import { webhook, type Webhook } from './webhook.ts'
import type { WebhookHandlerOptions } from './webhook-handler.ts'

const { database, opened } = await openMillrace()
const encryptionKeys = { k1: randomBytes(32).toString('base64') }
const company = z.object({ company: z.string() })
const people = pipeline('people', { input: company }).step('keep', ({ input }) => input)
const sealed = pipeline('sealed', { input: company, encrypt: true }).step('keep', ({ input }) => input)
const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
const common = { provider: 'standard', secret: 'hooks/people' } as const
let client: Client

beforeAll(async () => {
  await opened.client({ encryptionKeys }).secrets.set('hooks/people', { value: secret })
})
beforeEach(() => {
  client = opened.client({ encryptionKeys })
})

const sendTo = (
  triggers: Webhook[],
  body: unknown,
  options: Partial<SendOptions> = {},
  handling: WebhookHandlerOptions = {},
): Promise<Sent> =>
  send(client.webhooks.handler(triggers, handling), triggers[0]!.name, body, { secret, ...options })

test('FO-5 an encrypted delivery that failed and came again can be opened: replayed, and encrypted anew', async () => {
  let isReady = false
  const hook = webhook('sealed-again', {
    ...common,
    pipeline: sealed,
    map: ({ json }) => {
      if (!isReady) throw new Error('not yet')
      return company.parse(json)
    },
  })
  const first = await sendTo([hook], { company: 'a' }, { id: 'msg_s' })
  const second = await sendTo([hook], { company: 'b' }, { id: 'msg_s' })
  expect([first.status, second.status]).toEqual([500, 500])
  isReady = true
  const k2 = randomBytes(32).toString('base64')
  expect(await opened.client({ encryptionKeys: { k2, ...encryptionKeys } }).reencrypt()).toMatchObject({
    left: [],
  })
  const rotated = opened.client({ encryptionKeys: { k2, ...encryptionKeys } })
  expect((await rotated.webhooks.replay([hook], first.body.delivery!)).deliveries).toMatchObject([
    { state: 'accepted' },
  ])
  await opened.client({ encryptionKeys: { ...encryptionKeys, k2 } }).reencrypt()
})

test.each([
  ['an empty text', ''],
  ['a text that is too long', 'x'.repeat(201)],
  ['a text with what cannot be stored', 'a\0b'],
])(
  'FO-5 a delivery whose tenant is %s is kept as failed, also where nothing is to start',
  async (what, tenant) => {
    for (const filter of [() => true, () => false]) {
      const hook = webhook('tenants', { ...common, pipeline: people, tenant: () => tenant, filter })
      const sent = await sendTo([hook], { company: 'a' }, { id: `msg_${what}_${filter()}` })
      expect(sent.status).toBe(500)
      expect(await client.webhooks.delivery(sent.body.delivery!)).toMatchObject({
        state: 'failed',
        tenant: null,
      })
    }
  },
)

test('FO-5 a delivery of a tenant whose mapping throws goes with the tenant as well', async () => {
  const hook = webhook('throwing', {
    ...common,
    pipeline: people,
    tenant: () => 't-throws',
    map: () => {
      throw new Error('not today')
    },
  })
  const sent = await sendTo([hook], { company: 'a' }, { id: 'msg_tenant' })
  expect(await client.webhooks.delivery(sent.body.delivery!)).toMatchObject({
    state: 'failed',
    tenant: 't-throws',
  })
  await client.eraseTenant('t-throws')
  expect(await client.webhooks.deliveries({ webhook: 'throwing' })).toEqual([])
})

test('FO-5 a replay by id of a delivery to a webhook that was retired, and is in the code again, is judged', async () => {
  const hook = webhook('coming-back', { ...common, pipeline: people })
  const sent = await sendTo([hook], { company: 'a' }, { id: 'msg_back' })
  await database.query(`update millrace.webhook set retired_at = millrace.now() where name = 'coming-back'`)
  expect((await client.webhooks.replay([hook], sent.body.delivery!)).deliveries).toMatchObject([
    { state: 'accepted' },
  ])
})

test('FO-5 a mapping, a filter or a schema that never answers fails its delivery, which is kept', async () => {
  const never = () => new Promise<never>(() => {})
  const asking = pipeline('asking', { input: company.refine(never) }).step('keep', ({ input }) => input)
  for (const [what, hook] of Object.entries({
    map: webhook('hanging', { ...common, pipeline: people, map: never }),
    filter: webhook('hanging', { ...common, pipeline: people, filter: never }),
    schema: webhook('hanging', { ...common, pipeline: asking }),
  })) {
    const sent = await sendTo([hook], { company: 'a' }, { id: `msg_${what}` }, { mapMs: 20 })
    expect(sent.status).toBe(500)
    expect(await client.webhooks.delivery(sent.body.delivery!)).toMatchObject({
      state: 'failed',
      reason: 'webhook_too_slow',
    })
  }
})

test('FO-5 the first delivery of a version whose registration waits behind a lock for longer than a map may take is started', async () => {
  const deployed = pipeline('deployed', { input: company }).step('keep', ({ input }) => input)
  const hook = webhook('deployed', { ...common, pipeline: deployed })
  const other = await database.pool.connect()
  await other.query('begin')
  await other.query(`insert into millrace.pipeline (slug, created_at) values ('deployed', millrace.now())`)
  const sending = sendTo([hook], { company: 'a' }, { id: 'msg_deployed' }, { mapMs: 20 })
  await until('the registration has waited for longer than that', async () => {
    const waiting = await database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
          and clock_timestamp() - query_start > interval '100 ms'`,
    )
    return waiting.length > 0
  })
  await other.query('rollback')
  other.release()
  expect(await sending).toMatchObject({ status: 202, body: { state: 'accepted' } })
})

test('H8 no header tells a name that there is from one that there is not', async () => {
  const handler = client.webhooks.handler([webhook('here', { ...common, pipeline: people })])
  for (const headers of [
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/json; charset=latin1' },
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    { 'content-type': 'application/json' },
  ] as Array<Record<string, string>>) {
    const [here, nowhere] = [
      await sendRaw(handler, 'here', '{}', headers),
      await sendRaw(handler, 'nowhere', '{}', headers),
    ]
    expect(nowhere).toEqual({ ...here, headers: nowhere.headers })
  }
})

test('H8 a secret that two webhooks share is judged by the form of each: no text becomes an empty key', async () => {
  await client.secrets.set('hooks/shared', { value: '****************' })
  const texts = webhook('shared-text', { provider: 'github', secret: 'hooks/shared', pipeline: people })
  const keys = webhook('shared-key', { provider: 'standard', secret: 'hooks/shared', pipeline: people })
  const handler = client.webhooks.handler([texts, keys])
  const body = '{"company":"a"}'
  const signature = signatureOf(
    schemes.github,
    { headers: new Headers(), body: Buffer.from(body) },
    '****************',
  )
  const good = await sendRaw(handler, 'shared-text', body, {
    'content-type': 'application/json',
    'x-hub-signature-256': `sha256=${signature}`,
  })
  expect(good.status).toBe(202)
  expect((await send(handler, 'shared-key', { company: 'a' }, { secret: 'whsec_' })).status).toBe(503)
})

test('FO-5 a value that cannot be a secret of its webhook is refused where it is given, and the one before it counts on', async () => {
  const hook = webhook('rotated', { provider: 'standard', secret: 'hooks/rotated', pipeline: people })
  await sendTo([hook], {}, { id: 'msg_r' })
  const { value, version } = await client.webhooks.rotate('rotated')
  for (const bad of ['', 'short', 'whsec_***'])
    await expect(client.webhooks.rotate('rotated', { value: bad })).rejects.toMatchObject({
      code: 'secret_invalid',
    })
  expect((await client.secrets.list()).find(({ name }) => name === 'hooks/rotated')).toMatchObject({
    version,
  })
  expect((await sendTo([hook], { company: 'a' }, { id: 'msg_r2', secret: value })).status).not.toBe(503)
})

test('FO-5 an address with a zone is kept without it', async () => {
  const hook = webhook('zoned', { ...common, pipeline: people })
  const sent = await sendTo([hook], { company: 'a' }, { id: 'msg_zone', remoteAddress: 'fe80::1%eth0' })
  expect(sent.status).toBe(202)
  expect(await client.webhooks.delivery(sent.body.delivery!)).toMatchObject({ sourceIp: 'fe80::1' })
})

test('FO-5 of what is sent to an encrypted pipeline no hash is kept, also where it is refused', async () => {
  const hook = webhook('sealed-late', { ...common, pipeline: sealed })
  const at = new Date(Date.now() - 3_600_000)
  expect((await sendTo([hook], { company: 'a' }, { id: 'msg_late', at })).status).toBe(401)
  expect(await client.webhooks.deliveries({ webhook: 'sealed-late' })).toMatchObject([
    { state: 'refused', reason: 'too_late', bodyDigest: null },
  ])
})

/** Whether a text lies in what is kept of deliveries and runs, as it is, or as bytes, or as a hash of them. */
async function isKept(text: string, body: string): Promise<boolean> {
  const forms = [text, Buffer.from(text).toString('hex'), createHash('sha256').update(body).digest('hex')]
  const found = await Promise.all(
    ['delivery', 'delivery_run', 'run', 'event'].map((table) =>
      database.query(
        `select 1 from millrace.${table} t where exists (select from unnest($1::text[]) f where position(f in t::text) > 0)`,
        [forms],
      ),
    ),
  )
  return found.some((rows) => rows.length > 0)
}

test('FO-5 what is sent to an encrypted pipeline that is given by its name lies nowhere in the clear', async () => {
  const [canary, options] = ['canary-named', { ...common, pipeline: 'sealed' }]
  await client.start(sealed, { company: 'known' })
  const hook = webhook('sealed-named', { ...options })
  const bad = webhook('sealed-named-bad', {
    ...options,
    map: ({ text }) => {
      throw new Error(`bad: ${text}`)
    },
  })
  const body = { company: canary }
  const sent = await sendTo([hook], body)
  expect(sent.status).toBe(202)
  expect((await sendTo([bad], body)).status).toBe(500)
  expect(
    (await sendTo([hook], body, { secret: `whsec_${Buffer.alloc(32, 9).toString('base64')}` })).status,
  ).toBe(401)
  expect(await isKept(canary, JSON.stringify(body))).toBe(false)
  expect((await client.webhooks.replay([hook], sent.body.delivery!)).deliveries).toMatchObject([
    { state: 'accepted' },
  ])
})

test('FO-5 what is sent to a pipeline while it becomes encrypted is sealed, or is to come again', async () => {
  const canary = 'canary-turning'
  await client.start(
    pipeline('turning', { input: company }).step('keep', ({ input }) => input),
    {
      company: 'a',
    },
  )
  const handler = client.webhooks.handler([webhook('turning', { ...common, pipeline: 'turning' })])
  expect((await send(handler, 'turning', { company: 'b' }, { secret, id: 'msg_first' })).status).toBe(202)
  await client.start(
    pipeline('turning', { input: company, encrypt: true }).step('keep', ({ input }) => input),
    {
      company: 'c',
    },
  )
  // By what this client knows of the pipeline for a second, it is not encrypted yet.
  const sent = await send(handler, 'turning', { company: canary }, { secret, id: 'msg_second' })
  expect([202, 503]).toContain(sent.status)
  expect(await isKept(canary, JSON.stringify({ company: canary }))).toBe(false)
})

test('FO-5 with a run that is erased go the headers and the error of the other replays of its delivery', async () => {
  let fails = false
  const hook = webhook('erased', {
    ...common,
    pipeline: people,
    map: ({ json, text }) => {
      if (fails) throw new Error(`bad: ${text}`)
      return company.parse(json)
    },
  })
  const sent = await sendTo(
    [hook],
    { company: 'canary-77aa' },
    { id: 'msg_e', headers: { 'x-of': 'canary-77aa' } },
  )
  fails = true
  expect((await client.webhooks.replay([hook], sent.body.delivery!)).deliveries).toMatchObject([
    { state: 'failed' },
  ])
  const run = (await client.webhooks.delivery(sent.body.delivery!)).runs[0]!.run!
  await client.run(run).cancel()
  await client.run(run).delete()
  expect(
    await database.query(`select 1 from millrace.delivery d where d::text like '%canary-77aa%'`),
  ).toEqual([])
})

test('FO-5 more slow senders than there is room for whole bodies leave room for one that is quick', async () => {
  const hook = webhook('crowded', { ...common, pipeline: people, bodyLimit: 10_485_760 })
  const handler = client.webhooks.handler([hook], { bodyMs: 60_000 })
  const ends: Array<() => void> = []
  const slow = Array.from({ length: 30 }, (_, n) => {
    const stream = new ReadableStream({
      start: (controller) => {
        controller.enqueue(Buffer.from('{'))
        ends.push(() => controller.error(new Error('gone')))
      },
    })
    return sendRaw(handler, 'crowded', stream, {
      'content-type': 'application/json',
      ...(n % 2 === 0 && { 'content-length': '10000000' }),
    })
  })
  expect((await send(handler, 'crowded', { company: 'a' }, { id: 'msg_quick', secret })).status).toBe(202)
  for (const end of ends) end()
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(slow.map(() => 400))
})

test('FO-5 what is replayed while its webhook is being retired is refused, and nothing of it is stored twice', async () => {
  const hook = webhook('going', { ...common, pipeline: people })
  const sent = await sendTo([hook], { company: 'a' }, { id: 'msg_going' })
  await database.query(`update millrace.webhook set retired_at = millrace.now() where name = 'going'`)
  const [answer] = await database.query<{ state: string; reason: string }>(
    `select r.state, r.reason from millrace.receive_deliveries(jsonb_build_array(jsonb_build_object(
       'id', gen_random_uuid(), 'webhook', 'going', 'provider_id', 'msg_going', 'state', 'accepted', 'status', 202, 'replay_of', $1::text))) r`,
    [sent.body.delivery],
  )
  expect(answer).toEqual({ state: 'refused', reason: 'retired' })
})

test('FO-5 of an encrypted delivery that the database refuses, no message is kept', async () => {
  const keyed = pipeline('sealed-key', { input: company, encrypt: true, key: 'company' }).step(
    'keep',
    ({ input }) => input,
  )
  const hook = webhook('sealed-key', { ...common, pipeline: keyed })
  const sent = await sendTo([hook], { company: 'x'.repeat(1_000) }, { id: 'msg_key' })
  expect(sent.status).toBe(500)
  expect(await client.webhooks.delivery(sent.body.delivery!)).toMatchObject({
    reason: 'key_value_missing',
    problem: null,
  })
})

test('FO-5 headers that hold a credential by another name than the usual ones are masked as well, and authors are not', async () => {
  const hook = webhook('masking', { ...common, pipeline: people })
  const headers = {
    'x-auth-key': 'canary-1',
    'proxy-authorization': 'canary-2',
    'x-passwd': 'canary-3',
    'x-author': 'Ada',
  }
  const sent = await sendTo([hook], { company: 'a' }, { id: 'msg_mask', headers })
  const kept = (await client.webhooks.delivery(sent.body.delivery!)).headers
  expect(kept).toMatchObject({ 'x-auth-key': '[masked]', 'x-passwd': '[masked]', 'x-author': 'Ada' })
  expect(JSON.stringify(kept)).not.toContain('canary')
})
