// Webhooks over HTTP: their deliveries are listed and judged once more in the name of whoever asks, and their secrets are rotated.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { pipeline } from '../../sdk/pipeline.ts'
import { webhook } from '../../sdk/webhook.ts'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { send } from '../../../test/webhook-sender.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const encryptionKeys = { k1: randomBytes(32).toString('base64') }
const orders = pipeline('api-orders').step('only', () => 1)
let isBroken = true
const inbox = webhook('orders', {
  provider: 'standard',
  secret: 'hooks/orders',
  pipeline: orders,
  map: ({ json }) => {
    if (isBroken) throw new Error('boom')
    return json as null
  },
})
const ann = { name: 'ann@example.org', role: 'operator' } as const

test('a webhook gets a secret that is shown once, and what failed is replayed in the name of whoever asks', async () => {
  const client = opened.client({ encryptionKeys })
  await client.webhooks.register([inbox])
  const { ask } = await openApi({ triggers: [inbox], encryptionKeys })
  const made = await ask({}, 'POST', '/webhooks/orders/rotate', {})
  expect(made.body).toMatchObject({ name: 'hooks/orders', version: 1, overlap_seconds: 0 })
  const secret = made.body.value as string
  expect(await send(client.webhooks.handler([inbox]), 'orders', { n: 1 }, { secret })).toMatchObject({
    status: 500,
  })
  isBroken = false

  const listed = await ask(ann, 'GET', '/deliveries?webhook=orders&state=failed')
  expect(listed.body).toMatchObject({ items: [{ state: 'failed', runs: [] }], next: null })
  const { id } = listed.body.items[0]
  expect((await ask({ payloads: false }, 'GET', `/deliveries/${id}`)).body).toMatchObject({
    headers: null,
    payloads_hidden: true,
  })
  const counted = await ask(ann, 'POST', '/deliveries/replay', { state: 'failed', dry_run: true })
  expect(counted.body).toEqual({ count: 1, deliveries: [] })
  const replayed = await ask(ann, 'POST', '/deliveries/replay', { delivery: id })
  expect(replayed.body).toMatchObject({
    count: 1,
    deliveries: [{ of: id, state: 'accepted', is_repeat: false }],
  })
  const [run] = await database.query<{ started_by: string }>('select started_by from millrace.run')
  expect(run?.started_by).toMatch(/^ann@example\.org via /)
  expect((await ask(ann, 'GET', '/webhooks')).body.items).toMatchObject([{ name: 'orders', failed: 1 }])
  const first = await ask(ann, 'GET', '/deliveries?limit=1')
  expect(first.body.items[0].replay_of ?? first.body.items[0].replays[0]).toBeTruthy()
  const second = await ask(ann, 'GET', `/deliveries?limit=1&cursor=${first.body.next}`)
  expect(second.body.next).toBeNull()
  expect(second.body.items[0].id).not.toBe(first.body.items[0].id)
  expect(first.body.items[0]).not.toHaveProperty('position')
  // Whoever pages on while old deliveries go gets those that stay.
  const { next: behind } = (await ask(ann, 'GET', '/deliveries?limit=1')).body
  await database.query('delete from millrace.delivery where id = $1', [first.body.items[0].id])
  const rest = await ask(ann, 'GET', `/deliveries?limit=1&cursor=${behind}`)
  expect(rest.body.items).toMatchObject([{ id: second.body.items[0].id }])

  const given = `whsec_${randomBytes(32).toString('base64')}`
  const next = await ask({}, 'POST', '/webhooks/orders/rotate', { value: given, overlap_seconds: 3_600 })
  expect(next.body).toEqual({ name: 'hooks/orders', version: 2, value: null, overlap_seconds: 3_600 })
  expect((await ask({}, 'POST', '/webhooks/orders/revoke', {})).body).toEqual({ changed: true })
  expect(await ask({}, 'GET', '/webhooks/none')).toMatchObject({
    status: 404,
    body: { code: 'webhook_unknown' },
  })
  const none = '018f0000-0000-7000-8000-000000000000'
  expect(await ask({}, 'GET', `/deliveries/${none}`)).toMatchObject({ status: 404 })
})

test('of a delivery that failed the log names it, its webhook and the reason, and quotes nothing of it', async () => {
  const quoting = webhook('quoting', {
    provider: 'standard',
    secret: 'hooks/quoting',
    pipeline: orders,
    map: ({ json }) => {
      throw new Error(`no such order: ${JSON.stringify(json)}`)
    },
  })
  const client = opened.client({ encryptionKeys })
  await client.webhooks.register([quoting])
  const { server, log, ask } = await openApi({ triggers: [quoting], encryptionKeys })
  const made = await ask({}, 'POST', '/webhooks/quoting/rotate', {})
  const sent = await send(server.fetch, 'quoting', { customer: 'Ann' }, { secret: made.body.value as string })
  expect(sent).toMatchObject({ status: 500 })
  const failed = log.filter(({ event }) => event === 'delivery.failed')
  expect(failed).toMatchObject([{ webhook: 'quoting', reason: 'map_failed', delivery: expect.any(String) }])
  expect(JSON.stringify(log)).not.toContain('Ann')
})
