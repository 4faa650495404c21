// API keys over HTTP: made by whoever may, taken for what they may, and refused alike whatever is wrong with them.
import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { pipeline } from '../../sdk/pipeline.ts'
import { apiOn, type OpenedApi } from '../../../test/api.ts'
import { until } from '../../../test/deadline.ts'
import { openServer } from '../server.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const echo = pipeline('key-echo').step('say', () => 1)
const other = pipeline('key-other').step('say', () => 1)
const day = 86_400_000

beforeAll(async () => {
  const client = opened.client()
  await client.start(echo, null)
  await client.start(other, null)
})

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })

async function makeKey(
  api: OpenedApi,
  body: object = {},
): Promise<{ id: string; key: string; prefix: string }> {
  const made = await api.ask({}, 'POST', '/keys', { name: 'ci', ...body })
  expect(made, JSON.stringify(api.log)).toMatchObject({ status: 201 })
  return made.body as { id: string; key: string; prefix: string }
}

/** Asked until the moment for which a server remembers a key is over. */
async function refusedSoon(api: OpenedApi, key: string): Promise<number> {
  const from = performance.now()
  await until(
    'the key is refused',
    async () => (await api.ask(null, 'GET', '/runs', undefined, bearer(key))).status === 401,
  )
  return performance.now() - from
}

test('a key is shown once, does what its role and scopes say, and stands in history under its name', async () => {
  const api = await openApi()
  const { key, prefix, id } = await makeKey(api, { role: 'operator', scopes: ['runs:start', 'runs:read'] })
  expect(key).toMatch(/^mr_[0-9a-f]{12}_[\w-]{43}$/)
  const started = await api.ask(null, 'POST', '/runs', { pipeline: 'key-echo' }, bearer(key))
  expect(started.status).toBe(201)
  const [run] = await database.query<{ started_by: string }>(
    'select started_by from millrace.run where id = $1',
    [started.body['run'].id],
  )
  expect(run!.started_by).toMatch(/^key ci via /)
  const cancelled = await api.ask(null, 'POST', `/runs/${started.body['run'].id}/cancel`, {}, bearer(key))
  expect(cancelled).toMatchObject({ status: 403, body: { code: 'not_allowed' } })
  const shown = await api.ask({}, 'GET', `/keys/${id}`)
  expect(shown.body).toMatchObject({ prefix, role: 'operator', is_live: true, warning: null })
  expect(JSON.stringify(shown.body)).not.toContain(key.slice(prefix.length + 1))
  const [stored] = await database.query<{ text: string }>(
    `select string_agg(k::text, '') as text from millrace.api_key k`,
  )
  expect(stored!.text).not.toContain(key.slice(prefix.length + 1))
})

test('J6 the prefix only, another case, another secret, an expired and a revoked key get the same 401', async () => {
  const api = await openApi()
  const { key, prefix } = await makeKey(api)
  const shortLived = await makeKey(api, { lives_seconds: 60 })
  const revoked = await makeKey(api)
  await api.ask({}, 'POST', `/keys/${revoked.id}/revoke`, { reason: 'leaked' })
  await database.clock.advance(61_000)
  const flipped = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A')
  const wrong = [
    prefix,
    key.toUpperCase(),
    key.toLowerCase(),
    flipped,
    `${key}A`,
    shortLived.key,
    revoked.key,
    'x',
  ]
  const answers = await Promise.all(wrong.map((one) => api.ask(null, 'GET', '/runs', undefined, bearer(one))))
  expect(answers.map(({ status }) => status)).toEqual(wrong.map(() => 401))
  expect(new Set(answers.map(({ body }) => `${body['code']} ${body['detail']}`)).size).toBe(1)
  expect((await api.ask(null, 'GET', '/runs', undefined, bearer(key))).status).toBe(200)
  // It is no session: a cookie of that value is nobody.
  expect((await api.ask(null, 'GET', '/runs', undefined, { cookie: `session=${key}` })).status).toBe(401)
})

test('J6 PP-S20 a revoked key is refused within 1 s on every server that knew it', async () => {
  const [one, two] = [await openApi(), await openApi()]
  const { key, id } = await makeKey(one)
  for (const api of [one, two])
    expect((await api.ask(null, 'GET', '/runs', undefined, bearer(key))).status).toBe(200)
  expect(await one.ask({}, 'POST', `/keys/${id}/revoke`, { reason: 'leaked' })).toMatchObject({
    status: 200,
    body: { changed: true },
  })
  const took = await Promise.all([refusedSoon(one, key), refusedSoon(two, key)])
  expect(Math.max(...took)).toBeLessThan(1_000)
  expect((await one.ask({}, 'POST', `/keys/${id}/revoke`, {})).body).toEqual({ changed: false })
})

test('PP-S20 a rotated key and the one in its place are taken side by side for the overlap', async () => {
  const api = await openApi()
  const old = await makeKey(api, { scopes: ['runs:read'], tenant: 'acme' })
  const rotated = await api.ask({}, 'POST', `/keys/${old.id}/rotate`, { overlap_seconds: 3_600 })
  expect(rotated.status).toBe(201)
  const key = rotated.body['key'] as string
  for (const one of [old.key, key])
    expect((await api.ask(null, 'GET', '/runs', undefined, bearer(one))).status).toBe(200)
  expect(await api.ask({}, 'GET', `/keys/${rotated.body['id']}`)).toMatchObject({
    body: { scopes: ['runs:read'], tenant: 'acme', replaces: old.id },
  })
  await database.clock.advance(3_601_000)
  await refusedSoon(api, old.key)
  expect((await api.ask(null, 'GET', '/runs', undefined, bearer(key))).status).toBe(200)
})

test('of two who rotate a key at once, one gets a new key and the other is told', async () => {
  const api = await openApi()
  const { id } = await makeKey(api)
  const answers = await Promise.all([1, 2, 3].map(() => api.ask({}, 'POST', `/keys/${id}/rotate`, {})))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  expect(answers.find(({ status }) => status === 409)!.body['code']).toBe('api_key_over')
})

test('PP-S20 a key lives 90 days at most, says two weeks before that it ends, and one that may live longer says at 90 days that it is old', async () => {
  const api = await openApi()
  const { key } = await makeKey(api)
  const tooLong = await api.ask({}, 'POST', '/keys', { name: 'long', lives_seconds: 91 * 86_400 })
  expect(tooLong).toMatchObject({ status: 422, body: { code: 'argument_invalid' } })
  expect(tooLong.body.detail).toContain('A key may live from 1 second to 90 days, not 91 days.')
  await database.query(`update millrace.setting set value = '365' where name = 'key_days_max'`)
  const long = await makeKey(api)
  await database.query(`update millrace.setting set value = '90' where name = 'key_days_max'`)
  const fresh = await api.ask(null, 'GET', '/runs', undefined, bearer(key))
  expect(fresh.headers.get('millrace-key-warning')).toBeNull()
  await database.clock.advance(77 * day)
  const warned = await until('the key warns', async () => {
    const answer = await api.ask(null, 'GET', '/runs', undefined, bearer(key))
    return answer.headers.get('millrace-key-warning') ?? undefined
  })
  expect(warned).toMatch(/^ends; expires=/)
  await database.clock.advance(14 * day)
  await refusedSoon(api, key)
  const old = await api.ask(null, 'GET', '/runs', undefined, bearer(long.key))
  expect(old.headers.get('millrace-key-warning')).toMatch(/^old; expires=/)
})

test('nobody makes or rotates a key that may more than they may', async () => {
  const api = await openApi()
  const maker = { kind: 'key', scopes: ['keys:write', 'keys:read', 'runs:read'], payloads: false } as const
  const ask = (body: object) =>
    api.ask({ ...maker, scopes: [...maker.scopes] }, 'POST', '/keys', { name: 'more', ...body })
  expect(await ask({ scopes: ['runs:write'] })).toMatchObject({ status: 403 })
  expect(await ask({ scopes: ['runs:read'], payloads: true })).toMatchObject({ status: 403 })
  expect(await ask({ scopes: ['runs:read'] })).toMatchObject({ status: 201 })
  // All that its role has would be more.
  const admin = await makeKey(api, { role: 'admin' })
  const rotate = await api.ask(
    { ...maker, scopes: [...maker.scopes] },
    'POST',
    `/keys/${admin.id}/rotate`,
    {},
  )
  expect(rotate.status).toBe(403)
  expect(await api.ask({ role: 'operator' }, 'POST', '/keys', { name: 'mine' })).toMatchObject({
    status: 403,
  })
  // A key that is bound to a tenant makes none for others.
  const bound = await api.ask({ ...maker, scopes: [...maker.scopes], tenant: 'acme' }, 'POST', '/keys', {
    name: 'b',
  })
  expect(bound.status).toBe(403)
})

test('a key of a person does what that person may at present, and nothing once they are disabled', async () => {
  const api = await openApi()
  const person = randomUUID()
  await database.query(
    `insert into millrace.person (id, email, name, role, created_at, created_by, updated_at)
     values ($1, $2, 'Ann', 'admin', now(), 'test', now())`,
    [person, `${person}@example.org`],
  )
  const made = await api.ask({ kind: 'person', id: person, name: 'ann@example.org' }, 'POST', '/keys', {
    name: 'mine',
    role: 'admin',
  })
  const key = made.body['key'] as string
  expect((await api.ask(null, 'GET', '/keys', undefined, bearer(key))).status).toBe(200)
  await database.query(`update millrace.person set role = 'viewer' where id = $1`, [person])
  await until(
    'the key lost the role',
    async () => (await api.ask(null, 'GET', '/keys', undefined, bearer(key))).status === 403,
  )
  await database.query(`update millrace.person set disabled_at = now(), disabled_by = 'test' where id = $1`, [
    person,
  ])
  await refusedSoon(api, key)
})

test('a service account outlives who made its keys, and ends them together', async () => {
  const api = await openApi()
  const created = await api.ask({}, 'POST', '/service-accounts', { name: 'deploys', role: 'operator' })
  expect(created.status).toBe(201)
  expect(await api.ask({}, 'POST', '/service-accounts', { name: 'deploys', role: 'operator' })).toMatchObject(
    {
      status: 409,
      body: { code: 'service_account_taken' },
    },
  )
  const { key } = await makeKey(api, { service_account: 'deploys', role: 'admin' })
  // Its role is that of the account, whatever the key says.
  expect((await api.ask(null, 'GET', '/keys', undefined, bearer(key))).status).toBe(403)
  const started = await api.ask(null, 'POST', '/runs', { pipeline: 'key-echo' }, bearer(key))
  const [run] = await database.query<{ started_by: string }>(
    'select started_by from millrace.run where id = $1',
    [started.body['run'].id],
  )
  expect(run!.started_by).toMatch(/^key deploys\/ci via /)
  await api.ask({}, 'POST', '/service-accounts/deploys/disable', {})
  await refusedSoon(api, key)
  expect(await api.ask({}, 'POST', '/keys', { name: 'no', service_account: 'deploys' })).toMatchObject({
    status: 404,
    body: { code: 'service_account_unknown' },
  })
  await api.ask({}, 'POST', '/service-accounts/deploys/enable', {})
  expect((await api.ask(null, 'GET', '/runs', undefined, bearer(key))).status).toBe(200)
  expect((await api.ask({}, 'GET', '/keys?account=deploys')).body['items']).toHaveLength(1)
})

test('what a key makes is of whose the key is, and ends with them', async () => {
  const api = await openApi()
  const person = randomUUID()
  await database.query(
    `insert into millrace.person (id, email, name, role, created_at, created_by, updated_at)
     values ($1, $2, 'Ann', 'admin', now(), 'test', now())`,
    [person, `${person}@example.org`],
  )
  await api.ask({}, 'POST', '/service-accounts', { name: 'makers', role: 'admin' })
  const parents = [
    await api.ask({ kind: 'person', id: person }, 'POST', '/keys', { name: 'hers', role: 'admin' }),
    await api.ask({}, 'POST', '/keys', { name: 'its', role: 'admin', service_account: 'makers' }),
  ]
  const children: { id: string; key: string }[] = []
  for (const { body } of parents) {
    const made = await api.ask(null, 'POST', '/keys', { name: 'child', role: 'admin' }, bearer(body['key']))
    expect(made.status).toBe(201)
    children.push(made.body as { id: string; key: string })
  }
  expect((await api.ask({}, 'GET', `/keys/${children[0]!.id}`)).body).toMatchObject({ person_id: person })
  expect((await api.ask({}, 'GET', `/keys/${children[1]!.id}`)).body).toMatchObject({
    service_account: 'makers',
  })
  await database.query(`update millrace.person set disabled_at = now(), disabled_by = 'test' where id = $1`, [
    person,
  ])
  await api.ask({}, 'POST', '/service-accounts/makers/disable', {})
  for (const { key } of children) await refusedSoon(api, key)
})

test('nobody enables a service account with a key that may more than they may', async () => {
  const api = await openApi()
  await api.ask({}, 'POST', '/service-accounts', { name: 'strong', role: 'admin' })
  await makeKey(api, { service_account: 'strong', role: 'admin' })
  await api.ask({}, 'POST', '/service-accounts/strong/disable', {})
  const maker = { kind: 'key', scopes: ['keys:write', 'keys:read'], payloads: false } as const
  const enable = () =>
    api.ask({ ...maker, scopes: [...maker.scopes] }, 'POST', '/service-accounts/strong/enable', {})
  expect(await enable()).toMatchObject({ status: 403, body: { code: 'not_allowed' } })
  const [key] = (await api.ask({}, 'GET', '/keys?account=strong')).body['items']
  await api.ask({}, 'POST', `/keys/${key.id}/revoke`, {})
  expect(await enable()).toMatchObject({ status: 200, body: { changed: true } })
})

test('a key sees payloads only where that was asked for, whoever makes it', async () => {
  const api = await openApi()
  const shown = async (body: object) => {
    const made = await api.ask({ payloads: true }, 'POST', '/keys', { name: 'plain', ...body })
    return (await api.ask({}, 'GET', `/keys/${made.body['id']}`)).body
  }
  expect((await shown({})).payloads).toBe(false)
  expect((await shown({ role: 'admin', payloads: false })).payloads).toBe(false)
  expect((await shown({ payloads: true })).payloads).toBe(true)
  expect((await shown({ scopes: ['runs:read', 'payloads:read'] })).payloads).toBe(true)
})

test('J6 a key of a tenant and of pipelines sees and touches nothing else', async () => {
  const api = await openApi()
  const acme = await makeKey(api, { role: 'operator', tenant: 'acme' })
  const narrow = await makeKey(api, { role: 'operator', pipelines: ['key-other'] })
  const { body } = await api.ask({}, 'POST', '/runs', { pipeline: 'key-echo', tenant: 'other' })
  for (const { key } of [acme, narrow]) {
    const cancel = await api.ask(null, 'POST', `/runs/${body['run'].id}/cancel`, {}, bearer(key))
    expect(cancel).toMatchObject({ status: 404, body: { code: 'not_found' } })
    const { items } = (await api.ask(null, 'GET', '/runs', undefined, bearer(key))).body
    expect(items.filter((run: { id: string }) => run.id === body['run'].id)).toEqual([])
  }
})

test('when a key was used last, and from where, is written when the server stops at the latest', async () => {
  const api = await openApi()
  const { key, id } = await makeKey(api)
  const server = await openServer({ database: database.url, pipelines: [] })
  const request = new Request('http://millrace.test/runs', { headers: bearer(key) })
  expect((await server.fetch(request, { remoteAddress: '203.0.113.7' })).status).toBe(200)
  await server.close()
  expect((await api.ask({}, 'GET', `/keys/${id}`)).body).toMatchObject({
    used_from: '203.0.113.7',
    used_at: expect.any(String),
  })
})

test('who made, rotated and revoked a key stands in the audit trail, and its digest does not', async () => {
  const api = await openApi()
  const { id, prefix } = await makeKey(api)
  const rotated = await api.ask({}, 'POST', `/keys/${id}/rotate`, {})
  await api.ask({ name: 'ann@example.org' }, 'POST', `/keys/${id}/revoke`, { reason: 'leaked' })
  const entries = await database.query<{ action: string; actor: string; text: string }>(
    `select action, actor, e::text as text from millrace.audit_entry e where subject_kind = 'api_key' and subject in ($1, $2) order by id`,
    [prefix, rotated.body['prefix']],
  )
  expect(entries.map(({ action }) => action)).toEqual([
    'api_key.created',
    'api_key.changed',
    'api_key.created',
    'api_key.changed',
  ])
  expect(entries.at(-1)!.actor).toBe('ann@example.org')
  expect(entries.at(-1)!.text).toContain('leaked')
  const digests = await database.query<{ digest: string }>(
    `select encode(digest, 'hex') as digest from millrace.api_key where prefix = $1`,
    [prefix],
  )
  for (const { text } of entries) expect(text).not.toContain(digests[0]!.digest)
})

test('a tenant that is erased takes its keys and what was answered to them along', async () => {
  const api = await openApi()
  const { id, key } = await makeKey(api, { role: 'operator', tenant: 'leaving' })
  await api.ask({}, 'POST', `/keys/${id}/rotate`, {})
  const started = await api.ask({}, 'POST', '/runs', { pipeline: 'key-echo', tenant: 'leaving' })
  const cancel = `/runs/${started.body['run'].id}/cancel`
  const once = { ...bearer(key), 'idempotency-key': 'leaving-1' }
  expect((await api.ask(null, 'POST', cancel, {}, once)).status).toBe(200)
  for (let more = true; more; )
    [{ more }] = (await database.query<{ more: boolean }>(
      `select more from millrace.erase_tenant('leaving', reason => 'left')`,
    )) as [{ more: boolean }]
  const left = await database.query(
    `select tenant from millrace.api_key where tenant = 'leaving'
     union all select tenant from millrace.answered_request where tenant = 'leaving'`,
  )
  expect(left).toEqual([])
  await refusedSoon(api, key)
})
