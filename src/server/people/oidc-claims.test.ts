// Signing in by a provider (OpenID Connect), against a double of one: who is let in, and what of its answers is not believed.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OAuth2Server } from 'oauth2-mock-server'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { launchBrowser, strictArguments } from '../../../test/browser.ts'
import { type OpenedPeople, peopleOn, publicUrl } from '../../../test/people.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { listen } from '../listen.ts'
import { createClaimsReader } from './oidc-claims.ts'

const { database } = await openMillrace()
const openPeople = peopleOn(database)
const provider = new OAuth2Server()
beforeAll(async () => {
  await provider.issuer.keys.generate('RS256')
  await provider.start(0, '127.0.0.1')
})
afterAll(() => provider.stop())
afterEach(async () => {
  provider.service.removeAllListeners()
  await database.query('delete from millrace.person')
})

interface Token {
  readonly header: Record<string, unknown>
  readonly payload: Record<string, unknown>
}

const opened = (from = provider) =>
  openPeople({
    oidc: { issuer: from.issuer.url!, clientId: 'millrace', clientSecret: 'a secret of the provider' },
  })

/** What a provider says in each ID token from now on. */
function says(claims: Record<string, unknown>, from = provider): void {
  from.service.removeAllListeners()
  from.service.on('beforeTokenSigning', ({ payload }: Token) =>
    Object.assign(payload, { aud: 'millrace' }, claims),
  )
}

/** As a browser goes: to the provider, and back with what it was given. */
async function goes(
  { api }: OpenedPeople,
  change: (back: URL) => void = () => {},
  cookieOf = (own: string) => own,
  from: Readonly<Record<string, string>> = {},
) {
  const begun = await api('GET', '/auth/oidc', { headers: from })
  expect(begun.status).toBe(303)
  const cookie = begun.headers.getSetCookie()[0]!
  expect(cookie).toMatch(
    /^__Host-millrace_sign_in=\S+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  )
  const to = new URL(begun.headers.get('location')!)
  expect(to.searchParams.get('code_challenge_method')).toBe('S256')
  const given = await fetch(to, { redirect: 'manual' })
  const back = new URL(given.headers.get('location')!)
  expect(back.href).toContain(`${publicUrl}/auth/oauth2/callback/oidc?`)
  change(back)
  return api('GET', `${back.pathname}${back.search}`, {
    headers: { cookie: cookieOf(cookie.split(';')[0]!), 'sec-fetch-site': 'cross-site' },
  })
}

test('whoever the provider knows by the address of somebody here is signed in, and known by their own name from then on', async () => {
  const people = await opened()
  await people.add('ann@example.org', 'operator')
  says({ sub: 'subject-1', email: 'Ann@example.org', email_verified: true, name: 'Ann' })
  const back = await goes(people)
  expect(back.status).toBe(303)
  expect(back.headers.get('location')).toBe(`${publicUrl}/reference`)
  const cookie = back.headers.getSetCookie().find((one) => one.startsWith('__Host-millrace_session='))!
  expect(cookie).toContain('SameSite=Strict')
  expect(
    await people.api('GET', '/auth/actor', { headers: { cookie: cookie.split(';')[0]! } }),
  ).toMatchObject({
    status: 200,
    body: { name: 'ann@example.org', role: 'operator' },
  })
  // The provider has another address for the same subject now: it is the subject that counts.
  says({ sub: 'subject-1', email: 'ann.married@example.org', email_verified: true })
  expect((await goes(people)).status).toBe(303)
  const accounts = await database.query(
    "select row_to_json(a)::text from millrace.person_account a where provider = 'oidc'",
  )
  expect(accounts).toHaveLength(1)
  expect(JSON.stringify(accounts)).not.toMatch(/eyJ/)
})

test('K4 a sign-in by the provider ends the session that it began in, whose ever that was, once somebody is signed in', async () => {
  const people = await opened()
  await people.add('ann@example.org')
  await people.add('bob@example.org', 'admin')
  const bob = await people.person('bob@example.org')
  const elsewhere = await people.person('bob@example.org')
  const from = { cookie: bob.cookie, 'sec-fetch-site': 'same-origin' }
  says({ sub: 'subject-1', email: 'nobody@example.org', email_verified: true })
  expect((await goes(people, undefined, undefined, from)).status).toBe(401)
  expect((await bob.ask('GET', '/auth/actor')).status).toBe(200)
  says({ sub: 'subject-1', email: 'ann@example.org', email_verified: true })
  expect((await goes(people, undefined, undefined, from)).status).toBe(303)
  expect((await bob.ask('GET', '/auth/actor')).status).toBe(401)
  expect((await elsewhere.ask('GET', '/auth/actor')).status).toBe(200)
})

test('nobody comes in by an address that is not theirs, not known here, or disabled', async () => {
  const people = await opened()
  const id = await people.add('ann@example.org')
  for (const claims of [
    { sub: 's1', email: 'ann@example.org', email_verified: false },
    { sub: 's1', email: 'ann@example.org' },
    { sub: 's1', email: 'nobody@example.org', email_verified: true },
    { sub: 's1' },
  ]) {
    says(claims)
    expect(await goes(people)).toMatchObject({ status: 401, body: { code: 'sign_in_failed' } })
  }
  await database.query('select millrace.disable_person($1)', [id])
  says({ sub: 's1', email: 'ann@example.org', email_verified: true })
  expect(await goes(people)).toMatchObject({ status: 401 })
  expect(await database.query('select from millrace.person')).toHaveLength(1)
  expect(await database.query('select from millrace.person_session')).toHaveLength(0)
})

test('somebody else to whom the provider gives the address of somebody here does not come in as them', async () => {
  const people = await opened()
  await people.add('ann@example.org', 'admin')
  const claims = { email: 'ann@example.org', email_verified: true }
  says({ ...claims, sub: 'the first' })
  expect((await goes(people)).status).toBe(303)
  says({ ...claims, sub: 'another' })
  expect(await goes(people)).toMatchObject({ status: 401, body: { code: 'sign_in_failed' } })
  expect(await database.query('select from millrace.person_session')).toHaveLength(1)
})

test('another provider that takes the place of the first one has names of its own: who has the same one is somebody else, and an address that it vouches for counts', async () => {
  const first = await opened()
  await first.add('ann@example.org', 'admin')
  await first.add('bob@example.org')
  const [ann, bob] = ['ann', 'bob'].map((name) => ({ email: `${name}@example.org`, email_verified: true }))
  says({ ...ann, sub: '1' })
  expect((await goes(first)).status).toBe(303)

  const next = new OAuth2Server()
  await next.issuer.keys.generate('RS256')
  await next.start(0, '127.0.0.1')
  try {
    const second = await opened(next)
    const comes = async (claims: object) => {
      says({ ...claims }, next)
      const { status, headers } = await goes(second)
      expect(status).toBe(303)
      const cookie = headers.getSetCookie().find((one) => one.startsWith('__Host-millrace_session='))!
      return (await second.api('GET', '/auth/actor', { headers: { cookie: cookie.split(';')[0]! } })).body
    }
    expect(await comes({ ...bob, sub: '1' })).toMatchObject({ name: 'bob@example.org', role: 'viewer' })
    expect(await comes({ ...ann, sub: '2' })).toMatchObject({ name: 'ann@example.org', role: 'admin' })
    says({ ...bob, sub: '3' }, next)
    expect((await goes(second)).status).toBe(401)
  } finally {
    await next.stop()
  }
})

test('K4 an ID token for another server, of another provider or from long ago signs nobody in, nor does a way back that this browser did not begin', async () => {
  const people = await opened()
  await people.add('ann@example.org')
  const ann = { sub: 's1', email: 'ann@example.org', email_verified: true }
  const now = Math.floor(Date.now() / 1_000)
  for (const claims of [
    { aud: 'another server' },
    { iss: 'https://evil.test' },
    { exp: now - 120, iat: now - 3_600, nbf: now - 3_600 },
  ]) {
    says({ ...ann, ...claims })
    expect(await goes(people)).toMatchObject({ status: 401 })
  }
  says(ann)
  expect(
    await goes(
      people,
      () => {},
      () => '',
    ),
  ).toMatchObject({ status: 401 })
  expect(await goes(people, (back) => back.searchParams.set('state', 'x'.repeat(32)))).toMatchObject({
    status: 401,
  })
  expect(await goes(people, (back) => back.searchParams.set('code', 'another'))).toMatchObject({
    status: 401,
  })
  expect(await goes(people, (back) => back.searchParams.set('error', 'access_denied'))).toMatchObject({
    status: 401,
  })
  expect(await goes(people)).toMatchObject({ status: 303 })
})

test('what an ID token leaves out is asked of the provider, for the same subject alone', async () => {
  const people = await opened()
  await people.add('ann@example.org')
  says({ sub: 's1' })
  const answers = (sub: string) =>
    provider.service.on('beforeUserinfo', (response: { body: unknown }) => {
      response.body = { sub, email: 'ann@example.org', email_verified: 'true' }
    })
  answers('another')
  expect(await goes(people)).toMatchObject({ status: 401 })
  says({ sub: 's1' })
  answers('s1')
  expect(await goes(people)).toMatchObject({ status: 303 })
})

test('a provider that refuses to say more, or says too much, is not believed', async () => {
  const people = await opened()
  await people.add('ann@example.org')
  const ann = { sub: 's1', email: 'ann@example.org', email_verified: true }
  for (const answer of [
    { statusCode: 500, body: ann },
    { statusCode: 200, body: { ...ann, name: 'n'.repeat(100_001) } },
  ]) {
    says({ sub: 's1' })
    provider.service.on('beforeUserinfo', (response: object) => Object.assign(response, answer))
    expect(await goes(people)).toMatchObject({ status: 401 })
  }
})

const base64 = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

test('what a provider tells of itself is read to its bound, only where it has it, and never quoted', async () => {
  let answer: (response: ServerResponse) => void = () => {}
  let keys = answer
  let idToken = 'a token'
  const server = createServer(({ url }, response) => (url === '/keys' ? keys : answer)(response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const told = JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` })
  const failure = (given: typeof answer) => {
    answer = given
    return createClaimsReader({ issuer, clientId: 'millrace' })({ idToken }).catch(String)
  }
  const endlessly = (response: ServerResponse) => {
    const more = () => {
      if (!response.destroyed) response.write('x'.repeat(65_536), more)
    }
    more()
  }
  try {
    expect(await failure((response) => response.writeHead(404).end(told))).toContain('with status 404')
    expect(await failure((response) => response.end('<a secret>'))).toMatch(/is no JSON\.$/)
    expect(await failure(endlessly)).toContain('more than 100000 bytes')
    expect(await failure((response) => response.end(told))).toMatch(/Invalid Compact JWS/)
    idToken = [{ alg: 'RS256', kid: 'one' }, {}, {}].map(base64).join('.')
    keys = endlessly
    expect(await failure((response) => response.end(told))).toContain('more than 100000 bytes')
    keys = (response) => response.writeHead(500).end('<a secret>')
    expect(await failure((response) => response.end(told))).not.toContain('a secret')
    keys = (response) => response.end('{"keys":[]}')
    expect(await failure((response) => response.end(told))).toContain('no applicable key found')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('in a browser: from a page of the server to the provider, which is another site, and back, signed in; a page elsewhere has nothing of it', async () => {
  // The address is known only once somebody listens there.
  let answer: Parameters<typeof listen>[0] = () => Promise.resolve(new Response())
  const listener = await listen((request, surroundings) => answer(request, surroundings), {
    port: 0,
    graceMs: 0,
  })
  const url = `http://127.0.0.1:${listener.port}`
  const { issuer } = provider
  const people = await openPeople(
    { oidc: { issuer: issuer.url!, clientId: 'millrace', clientSecret: 'a secret of the provider' } },
    { url },
  )
  answer = people.server.fetch
  await people.add('ann@example.org', 'operator')
  says({ sub: 'subject-1', email: 'ann@example.org', email_verified: true })
  const browser = await launchBrowser(strictArguments)
  try {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${url}/auth/link`)
    const sites: string[] = []
    page.on('request', (request) => sites.push(new URL(request.url()).host))
    await page.evaluate(`location.assign('/auth/oidc')`)
    await page.waitForURL(`${url}/reference`)
    expect(sites).toContain(new URL(issuer.url!).host)
    await page.goto(`${url}/auth/link`)
    expect(await page.evaluate(async () => (await fetch('/auth/actor')).json())).toMatchObject({
      name: 'ann@example.org',
      role: 'operator',
    })
    const cookies = await context.cookies(url)
    expect(cookies.find(({ name }) => name === 'millrace_session')).toMatchObject({
      httpOnly: true,
      sameSite: 'Strict',
    })
    // A page of the provider's site sends no session along.
    await page.goto(issuer.url!)
    const [status] = await Promise.all([
      page.waitForResponse(`${url}/auth/actor`).then((response) => response.status()),
      page.evaluate(`location.assign('${url}/auth/actor')`),
    ])
    expect(status).toBe(401)
  } finally {
    await browser.close()
    await listener.close()
  }
})

test('a server without a provider says so', async () => {
  const { api } = await openPeople()
  expect(await api('GET', '/auth/oidc')).toMatchObject({ status: 404, body: { code: 'people_off' } })
})
