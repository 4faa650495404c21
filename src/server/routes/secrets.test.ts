// Secrets over HTTP, and the work of admins: workers' orders, erasing a tenant, encrypting anew.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { pipeline } from '../../sdk/pipeline.ts'
import { apiOn } from '../../../test/api.ts'
import { until } from '../../../test/deadline.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const [oldKey, nextKey] = [1, 2].map(() => randomBytes(32).toString('base64')) as [string, string]

test('a secret is written, rotated and removed on the version that was seen, and no answer or line of the log holds its value', async () => {
  const { ask, log } = await openApi({ encryptionKeys: { k1: oldKey } })
  const value = 'a value that nobody reads'
  const path = '/secrets/hooks%2Forders'
  const answers = [await ask({}, 'PUT', path, { value, max_age_seconds: 60 }, { 'if-match': '"0"' })]
  expect(answers[0]?.body).toEqual({ version: 1 })
  answers.push(await ask({}, 'POST', `${path}/rotate`, { value: `${value} 2` }, { 'if-match': '"1"' }))
  expect(answers[1]?.body).toEqual({ version: 2 })
  for (const [method, at, sent] of [
    ['PUT', path, { value }],
    ['POST', `${path}/rotate`, { value }],
    ['DELETE', path, undefined],
  ] as const) {
    const stale = await ask({}, method, at, sent, { 'if-match': '"1"' })
    expect(stale).toMatchObject({
      status: 409,
      body: { code: 'revision_conflict', fields: { present: { name: 'hooks/orders', version: 2 } } },
    })
    answers.push(stale)
  }
  answers.push(await ask({}, 'PUT', path, { value, environment: 'X' }))
  expect(answers.at(-1)).toMatchObject({ status: 400 })
  answers.push(await ask({}, 'PUT', '/secrets/1%22%3B%20drop', { value }))
  expect(answers.at(-1)).toMatchObject({ status: 422, body: { code: 'secret_invalid' } })
  answers.push(await ask({ role: 'viewer' }, 'GET', '/secrets'))
  expect(answers.at(-1)?.body.items).toMatchObject([{ name: 'hooks/orders', version: 2, source: 'table' }])
  expect(await ask({ role: 'operator' }, 'PUT', path, { value })).toMatchObject({ status: 403 })
  expect(JSON.stringify([answers, log])).not.toContain(value)
  expect((await ask({}, 'DELETE', path)).body).toEqual({ changed: true })
  const without = await openApi()
  expect(await without.ask({}, 'PUT', path, { value })).toMatchObject({
    body: { code: 'encryption_key_missing' },
  })
})

test('workers are listed, and take orders', async () => {
  const idle = pipeline('api-idle').step('only', () => 1)
  await opened.worker({ pipelines: [idle], slots: 3, name: 'api-worker' })
  const { ask } = await openApi()
  const operator = { role: 'operator' } as const
  const { body } = await ask({ role: 'viewer' }, 'GET', '/admin/workers')
  expect(body.items).toMatchObject([{ name: 'api-worker', slots: 3 }])
  const path = `/admin/workers/${body.items[0].id}`
  expect((await ask(operator, 'POST', `${path}/pause`, {})).body).toEqual({ changed: true })
  expect((await ask(operator, 'POST', `${path}/resume`, {})).body).toEqual({ changed: true })
  expect((await ask(operator, 'POST', `${path}/drain`, {})).body).toEqual({ changed: true })
  await until('the worker has left', async () => {
    const left = await ask(operator, 'GET', '/admin/workers')
    return left.body.items.length === 0
  })
  const none = '018f0000-0000-7000-8000-000000000000'
  expect(await ask(operator, 'POST', `/admin/workers/${none}/drain`, {})).toMatchObject({
    status: 404,
    body: { code: 'worker_unknown' },
  })
})

test('a tenant is erased batch by batch, and nobody else is touched', async () => {
  await registerPipeline(database, 'api-erased', chain('only'))
  const client = opened.client()
  for (const tenant of ['gone & away', 'gone & away', 'gone & away', 'stays']) {
    const { run } = await client.start('api-erased', null, { tenant })
    await client.run(run!.id).cancel()
  }
  const { ask } = await openApi()
  const path = `/tenants/${encodeURIComponent('gone & away')}/erase`
  expect(await ask({ role: 'operator' }, 'POST', path, {})).toMatchObject({ status: 403 })
  const counted = await ask({}, 'POST', path, { dry_run: true })
  expect(counted.body).toMatchObject({ erasure: null, counts: { run: 3 }, more: false })
  const requests: Array<{ erasure: string; counts: { run: number }; more: boolean }> = []
  do {
    const erasure = requests.at(-1)?.erasure
    const body = { batch: 2, reason: 'asked', ...(erasure === undefined ? {} : { erasure }) }
    requests.push((await ask({}, 'POST', path, body)).body as (typeof requests)[number])
  } while (requests.at(-1)?.more)
  expect(requests.length).toBeGreaterThan(1)
  expect(requests.at(-1)?.counts).toMatchObject({ run: 3 })
  expect(
    await database.query('select distinct tenant from millrace.run where slug = $1', ['api-erased']),
  ).toEqual([{ tenant: 'stays' }])
})

test('what lies under an older key is encrypted anew, a batch a request', async () => {
  const named = pipeline('api-named', { input: z.object({ n: z.number() }), encrypt: true }).step(
    'only',
    ({ input }) => input.n,
  )
  const first = { k1: oldKey }
  await opened.worker({ pipelines: [named], encryptionKeys: first })
  const client = opened.client({ encryptionKeys: first })
  for (const n of [1, 2, 3]) {
    const { run } = await client.start(named, { n })
    await client.run(run!.id).result()
  }
  const { ask } = await openApi({ encryptionKeys: { k2: nextKey, k1: oldKey } })
  let values = 0
  let requests = 0
  for (let after: string | undefined; ; requests++) {
    const { body } = await ask({}, 'POST', '/encryption/rotate', {
      runs_per_batch: 1,
      ...(after === undefined ? {} : { after }),
    })
    expect(body).toMatchObject({ key: 'k2', left: [] })
    values += body.values
    if (body.next === null) break
    after = body.next
  }
  expect(requests).toBeGreaterThanOrEqual(3)
  expect(values).toBeGreaterThanOrEqual(6)
  const again = await ask({}, 'POST', '/encryption/rotate', { runs_per_batch: 1_000 })
  expect(again.body.values).toBe(0)
})
