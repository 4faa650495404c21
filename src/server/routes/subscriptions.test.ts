// Subscriptions and events over HTTP: defined, paused and removed with their revision; what is emitted, and what of it who may see.
import { expect, test } from 'vitest'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database } = await openMillrace()
const openApi = apiOn(database)
const ann = { name: 'ann@example.org', role: 'operator' } as const
await registerPipeline(database, 'api-told', chain('only'))

test('a subscription is defined, listed, paused, resumed and removed; JQ-10 a stale change is answered with what there is', async () => {
  const { ask } = await openApi()
  const body = { event: 'order.placed', pipeline: 'api-told', map: { id: ['order', 'id'] } }
  expect((await ask(ann, 'PUT', '/subscriptions/orders', body)).body).toEqual({ revision: 1 })
  expect((await ask(ann, 'PUT', '/subscriptions/payments', { ...body, event: 'paid' })).status).toBe(200)
  const first = await ask(ann, 'GET', '/subscriptions?limit=1')
  expect(first.body.items).toMatchObject([{ name: 'orders', map: body.map, source: 'operator' }])
  const second = await ask(ann, 'GET', `/subscriptions?limit=1&cursor=${first.body.next}`)
  expect(second.body).toMatchObject({ items: [{ name: 'payments' }], next: null })
  const seen = { 'if-match': '"1"' }
  expect((await ask(ann, 'POST', '/subscriptions/orders/pause', {}, seen)).body).toEqual({ changed: true })
  for (const [method, path, sent] of [
    ['POST', '/subscriptions/orders/resume', {}],
    ['DELETE', '/subscriptions/orders', undefined],
    ['PUT', '/subscriptions/orders', { ...body, event: 'other' }],
  ] as const)
    expect(await ask(ann, method, path, sent, seen)).toMatchObject({
      status: 409,
      body: { fields: { present: { name: 'orders', revision: 2 } } },
    })
  expect((await ask(ann, 'POST', '/subscriptions/orders/resume', {})).body).toEqual({ changed: true })
  expect(await ask(ann, 'DELETE', '/subscriptions/orders')).toMatchObject({ status: 204 })
  expect(await ask(ann, 'GET', '/subscriptions/orders')).toMatchObject({ status: 404 })
  expect(await ask(ann, 'PUT', '/subscriptions/bad', { ...body, pipeline: 'nothing' })).toMatchObject({
    status: 404,
    body: { code: 'pipeline_unknown' },
  })
})

test('an event is emitted once under its key, and its payload is only for who may see payloads', async () => {
  const { ask } = await openApi()
  const event = { name: 'shipped', payload: { parcel: 7 }, tenant: 'acme', idempotency_key: 'k' }
  const emitted = await ask(ann, 'POST', '/events', event)
  expect(emitted).toMatchObject({ status: 201, body: { id: expect.any(String) as string } })
  expect((await ask(ann, 'POST', '/events', event)).body).toEqual(emitted.body)
  const acme = { kind: 'key', role: 'operator', tenant: 'acme', payloads: false } as const
  expect((await ask(acme, 'GET', '/events')).body.items).toMatchObject([
    { payload: null, payloads_hidden: true },
  ])
  expect((await ask({ ...acme, tenant: 'other' }, 'GET', '/events?name=shipped')).body.items).toEqual([])
  expect((await ask({ ...acme, tenant: 'other' }, 'GET', '/events?tenant=acme')).body.items).toEqual([])
  expect(await ask({ ...acme, tenant: 'other' }, 'POST', '/events', event)).toMatchObject({ status: 403 })
  expect(
    await ask({ ...acme, tenant: null, pipelines: ['api-told'] }, 'POST', '/events', event),
  ).toMatchObject({
    status: 403,
  })
  expect((await ask(acme, 'POST', '/events', { name: 'own' })).status).toBe(201)
  const { body } = await ask(ann, 'GET', '/events?limit=1')
  expect(body.items).toMatchObject([{ name: 'own', tenant: 'acme', payload: null, starts: [] }])
  const older = await ask(ann, 'GET', `/events?limit=1&cursor=${body.next}`)
  expect(older.body.items).toMatchObject([{ payload: { parcel: 7 } }])
  expect(older.body.items[0].emitted_by).toMatch(/^ann@example\.org via /)
})
