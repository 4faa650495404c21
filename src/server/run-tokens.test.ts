// Tokens by which a browser follows one run: for that run alone, for a short time, and no longer than whoever made them is let in.
import { randomUUID } from 'node:crypto'
import { SignJWT, generateKeyPair } from 'jose'
import { expect, test } from 'vitest'
import { pipeline } from '../sdk/pipeline.ts'
import { apiOn, type OpenedApi } from '../../test/api.ts'
import { until } from '../../test/deadline.ts'
import { countStatements, openMillrace } from '../../test/millrace.ts'

const { database, opened } = await openMillrace()
let nowMs = Date.now()
const openApi = apiOn(database)
const open = (): Promise<OpenedApi> => openApi({ now: () => nowMs })
const echo = pipeline('token-echo').step('say', () => 1)
const startOne = async (): Promise<string> => (await opened.client().start(echo, null)).run!.id
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

async function tokenFor(api: OpenedApi, run: string, body: object = {}): Promise<string> {
  const made = await api.ask({ kind: 'developer' }, 'POST', `/runs/${run}/tokens`, body)
  expect(made, JSON.stringify(api.log)).toMatchObject({ status: 201 })
  return made.body['token'] as string
}

test('a token reads its run, on every server and after a restart, and neither another run nor anything else', async () => {
  const api = await open()
  const [run, other] = [await startOne(), await startOne()]
  const token = await tokenFor(api, run)
  const elsewhere = await open()
  expect(await elsewhere.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).toMatchObject({
    status: 200,
    body: { id: run, payloads_hidden: true },
  })
  const refused = await Promise.all([
    api.ask(null, 'GET', `/runs/${other}`, undefined, bearer(token)),
    api.ask(null, 'GET', '/runs', undefined, bearer(token)),
    api.ask(null, 'POST', `/runs/${run}/cancel`, {}, bearer(token)),
    api.ask(null, 'POST', `/runs/${run}/tokens`, {}, bearer(token)),
  ])
  expect(refused.map(({ status }) => status)).toEqual([404, 403, 403, 403])
  const seeing = await tokenFor(api, run, { payloads: true })
  const seen = await api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(seeing))
  expect(seen.body['payloads_hidden']).not.toBe(true)
})

test('a token ends when it says, at most an hour later', async () => {
  const api = await open()
  const run = await startOne()
  const token = await tokenFor(api, run, { seconds: 60 })
  expect((await api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).status).toBe(200)
  nowMs += 61_000
  expect((await api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).status).toBe(401)
  expect(await api.ask({}, 'POST', `/runs/${run}/tokens`, { seconds: 3_601 })).toMatchObject({ status: 400 })
})

test('servers whose clocks are some seconds apart take the tokens of each other, and none from further ahead', async () => {
  const [api, run] = [await open(), await startOne()]
  const token = await tokenFor(api, run, { seconds: 60 })
  const statusAt = async (apartMs: number) => {
    const server = await openApi({ now: () => nowMs + apartMs })
    return (await server.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).status
  }
  const apart = [-29_000, -1_000, 1_000, 58_000]
  expect(await Promise.all(apart.map(statusAt))).toEqual(apart.map(() => 200))
  // The end that it names is the end all the same: nothing is added to it.
  expect(await Promise.all([-32_000, 61_000].map(statusAt))).toEqual([401, 401])
})

test('a token ends with the key that made it', async () => {
  const api = await open()
  const run = await startOne()
  const made = await api.ask({}, 'POST', '/keys', { name: 'maker', scopes: ['runs:read'] })
  const { body } = await api.ask(null, 'POST', `/runs/${run}/tokens`, {}, bearer(made.body['key']))
  const token = body['token'] as string
  expect((await api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).status).toBe(200)
  await api.ask({}, 'POST', `/keys/${made.body['id']}/revoke`, {})
  await until(
    'the token is refused',
    async () => (await api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).status === 401,
    1_000,
  )
})

test('a token that sees payloads ends where whoever made it sees them no more', async () => {
  const api = await open()
  const run = await startOne()
  const person = randomUUID()
  await database.query(
    `insert into millrace.person (id, email, name, role, payloads, created_at, created_by, updated_at)
     values ($1, $2, 'Ann', 'viewer', true, now(), 'test', now())`,
    [person, `${person}@example.org`],
  )
  const ann = { kind: 'person', id: person, role: 'viewer' } as const
  const made = async (body: object) =>
    (await api.ask(ann, 'POST', `/runs/${run}/tokens`, body)).body['token'] as string
  const [seeing, blind] = [await made({ payloads: true }), await made({})]
  const asked = (token: string) => api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))
  expect((await asked(seeing)).body['payloads_hidden']).not.toBe(true)
  await database.query('update millrace.person set payloads = false where id = $1', [person])
  await until('the token is refused', async () => (await asked(seeing)).status === 401, 1_000)
  expect((await asked(blind)).status).toBe(200)
})

test('a token that was changed, or signed by somebody else or by nobody, is refused', async () => {
  const api = await open()
  const [run, other] = [await startOne(), await startOne()]
  const token = await tokenFor(api, run)
  const [head, body, signature] = token.split('.') as [string, string, string]
  const said = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const kid = (JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }).kid
  const { privateKey } = await generateKeyPair('ES256')
  const forged = await new SignJWT(said).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey)
  const wrong = [
    `${head}.${part({ ...said, run: other })}.${signature}`,
    `${part({ alg: 'none', kid })}.${body}.${signature}`,
    `${part({ alg: 'HS256', kid })}.${body}.${signature}`,
    `${part({ alg: 'ES256' })}.${body}.${signature}`,
    `${head}.${part({ ...said, run: 'x' })}.${signature}`,
    forged,
    `${head}.${body}.${signature.slice(0, -2)}AA`,
  ]
  for (const one of wrong)
    for (const asked of [run, other])
      expect((await api.ask(null, 'GET', `/runs/${asked}`, undefined, bearer(one))).status).toBe(401)
})

test('J6 two hundred forged tokens at once cost a few statements, and a right one among them is taken', async () => {
  const api = await openApi({ now: () => nowMs, rateLimits: false })
  const run = await startOne()
  const right = await tokenFor(api, run)
  const { privateKey } = await generateKeyPair('ES256')
  const forged = await Promise.all(
    Array.from({ length: 200 }, () =>
      new SignJWT({ run, tenant: null, payloads: false, name: 'x', key: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', kid: randomUUID() })
        .sign(privateKey),
    ),
  )
  const statements = countStatements()
  const statuses = await Promise.all(
    [...forged, right].map(
      async (token) => (await api.ask(null, 'GET', `/runs/${run}`, undefined, bearer(token))).status,
    ),
  )
  statements.stop()
  expect(statements.sent.filter((one) => one.includes('find_token_key')).length).toBeLessThan(5)
  expect([new Set(statuses.slice(0, -1)), statuses.at(-1)]).toEqual([new Set([401]), 200])
})

test('the private key lies in no table, and its pair is changed after twelve hours', async () => {
  const api = await open()
  const run = await startOne()
  const kidOf = (token: string): unknown =>
    JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()).kid
  const first = kidOf(await tokenFor(api, run))
  expect(kidOf(await tokenFor(api, run))).toBe(first)
  nowMs += 12 * 3_600_000
  expect(kidOf(await tokenFor(api, run))).not.toBe(first)
  const keys = await database.query<{ public_key: object }>('select public_key from millrace.token_key')
  for (const { public_key: key } of keys) expect(Object.keys(key).sort()).toEqual(['crv', 'kty', 'x', 'y'])
})
