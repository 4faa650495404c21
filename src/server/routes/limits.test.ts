// Limits, rules on starts, locks and the cache over HTTP.
import { expect, test } from 'vitest'
import { pipeline } from '../../sdk/pipeline.ts'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const ann = { name: 'ann@example.org', role: 'operator' } as const
await registerPipeline(database, 'api-limited', chain('only'))

test('a limit is defined, keeps what it holds for, and JQ-10 refuses a stale change with what there is', async () => {
  const { ask } = await openApi()
  const settings = { kind: 'concurrency', capacity: 2, key: [['$tenant']] }
  const targets = [{ slug: 'api-limited' }]
  expect((await ask(ann, 'PUT', '/limits/mails', { settings, targets })).body).toEqual({ revision: 1 })
  const wider = { settings: { ...settings, capacity: 3 } }
  expect((await ask(ann, 'PUT', '/limits/mails', wider)).body).toEqual({ revision: 2 })
  const shown = await ask(ann, 'GET', '/limits/mails')
  expect(shown.body).toMatchObject({ settings: { capacity: 3 }, targets, revision: 2, busiest: [] })
  expect(shown.body.changed_by).toMatch(/^ann@example\.org via /)
  const stale = { 'if-match': '"1"' }
  expect(await ask(ann, 'PUT', '/limits/mails', wider, stale)).toMatchObject({
    status: 409,
    body: { fields: { present: { settings: { capacity: 3 } } } },
  })
  expect(await ask(ann, 'DELETE', '/limits/mails', undefined, stale)).toMatchObject({ status: 409 })
  expect((await ask(ann, 'GET', '/limits')).body.items).toHaveLength(1)
  expect((await ask(ann, 'DELETE', '/limits/mails')).body).toEqual({ changed: true })
  expect(await ask(ann, 'GET', '/limits/mails')).toMatchObject({
    status: 404,
    body: { code: 'limit_unknown' },
  })
  const twoKinds = { settings: { ...settings, failures: 3 }, targets }
  expect(await ask(ann, 'PUT', '/limits/mails', twoKinds)).toMatchObject({
    status: 422,
    body: { code: 'limit_invalid' },
  })
})

test('a rule on starts is defined for a pipeline, listed, and removed', async () => {
  const { ask } = await openApi()
  const path = '/pipelines/api-limited/start-rules/waiting'
  const rule = { kind: 'waiting', most: 5 }
  expect((await ask(ann, 'PUT', path, rule)).body).toEqual({ revision: 1 })
  await ask(ann, 'PUT', '/pipelines/api-limited/start-rules/calm', { kind: 'debounce', wait_ms: 1_000 })
  const first = await ask(ann, 'GET', '/start-rules?pipeline=api-limited&limit=1')
  expect(first.body.items).toMatchObject([{ name: 'calm', settings: { kind: 'debounce', wait_ms: 1_000 } }])
  const second = await ask(ann, 'GET', `/start-rules?limit=1&cursor=${first.body.next}`)
  expect(second.body).toMatchObject({ items: [{ name: 'waiting', settings: { most: 5 } }], next: null })
  expect((await ask({ kind: 'key', pipelines: ['x'] }, 'GET', '/start-rules')).body.items).toEqual([])
  expect(await ask(ann, 'DELETE', path, undefined, { 'if-match': '"7"' })).toMatchObject({
    status: 409,
    body: { fields: { present: { name: 'waiting', revision: 1 } } },
  })
  expect((await ask(ann, 'DELETE', path)).body).toEqual({ changed: true })
  expect(await ask(ann, 'PUT', path, { kind: 'waiting', most: 5, wait_ms: 1 })).toMatchObject({ status: 400 })
})

test('who holds a lock is listed to who may see the run, and values are taken out of the cache by tenant', async () => {
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const holding = pipeline('api-holding').step('only', async ({ lock, cache }) => {
    await cache('k', { ttl: '1h', scope: 'shared' }, () => 1)
    await lock('ledger', () => released)
  })
  await opened.worker({ pipelines: [holding], slots: 1 })
  const client = opened.client()
  const { run } = await client.start(holding, null, { tenant: 'acme' })
  const { ask } = await openApi()
  await expect.poll(async () => (await ask(ann, 'GET', '/locks')).body.items.length).toBe(1)
  const [held] = (await ask({ tenant: 'acme' }, 'GET', '/locks?name=ledger')).body.items
  expect(held).toMatchObject({ name: 'ledger', tenant: 'acme', run_id: run!.id, pipeline: 'api-holding' })
  expect((await ask({ tenant: 'other' }, 'GET', '/locks')).body.items).toEqual([])
  expect((await ask({ pipelines: ['x'] }, 'GET', '/locks')).body.items).toEqual([])
  release()
  await client.run(run!.id).result()

  const acme = { kind: 'key', role: 'operator', tenant: 'acme' } as const
  expect((await ask(acme, 'GET', '/cache')).body.items).toMatchObject([{ scope: 'shared', run_id: run!.id }])
  const other = { ...acme, tenant: 'other' }
  expect((await ask(other, 'GET', '/cache?tenant=acme')).body.items).toEqual([])
  expect((await ask({ ...acme, tenant: null, pipelines: ['x'] }, 'GET', '/cache')).body.items).toEqual([])
  const shared = { scope: 'shared' }
  expect((await ask(other, 'POST', '/cache/invalidate', { ...shared, tenant: 'acme' })).body).toEqual({
    removed: 0,
  })
  expect((await ask(acme, 'POST', '/cache/invalidate', shared)).body).toEqual({ removed: 1 })
})
