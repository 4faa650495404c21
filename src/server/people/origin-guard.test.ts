// Requests that a page elsewhere makes a browser send, in each of the ways that there are.
import { afterEach, expect, test } from 'vitest'
import { peopleOn, publicUrl, strongPassword } from '../../../test/people.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const openPeople = peopleOn(database)
afterEach(async () => {
  await database.query('delete from millrace.person')
})

const elsewhere: Record<string, string>[] = [
  { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
  { origin: 'https://evil.test' },
  { origin: 'null' },
  { origin: `${publicUrl}.evil.test` },
  { origin: 'http://millrace.test' },
  { origin: `${publicUrl}:8443` },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site', origin: 'https://other.millrace.test' },
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'same-origin', origin: 'https://evil.test' },
  { 'sec-fetch-site': 'same-origin, cross-site' },
]

test('K5 with a session nothing is changed from elsewhere: each forged request is refused before its body is read', async () => {
  const { add, api, person } = await openPeople()
  await add('ann@example.org', 'admin')
  const { cookie, ask } = await person('ann@example.org')
  const body = { email: 'mallory@example.org', role: 'admin' }
  const refused = { status: 403, body: { code: 'origin_refused' } }
  for (const headers of [...elsewhere, {} as Record<string, string>]) {
    expect(await api('POST', '/people', { body, headers: { cookie, ...headers } })).toMatchObject(refused)
    // As a form can send it, without asking first.
    for (const media of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const sent = { body: JSON.stringify(body), headers: { cookie, ...headers, 'content-type': media } }
      expect(await api('POST', '/people', sent)).toMatchObject(refused)
    }
  }
  expect(await ask('POST', '/people', JSON.stringify(body), { 'content-type': 'text/plain' })).toMatchObject({
    status: 415,
  })
  expect((await database.query("select from millrace.person where email like 'mallory%'")).length).toBe(0)
  expect((await ask('POST', '/people', body)).status).toBe(201)
})

test('K5 nothing changes by GET, and from elsewhere nothing is read by it either', async () => {
  const { add, api, person } = await openPeople()
  await add('ann@example.org', 'admin')
  const { cookie } = await person('ann@example.org')
  for (const headers of elsewhere.filter((one) => one['sec-fetch-site'] !== 'none'))
    expect((await api('GET', '/people', { headers: { cookie, ...headers } })).status).toBe(403)
  for (const path of ['/people', '/auth/sign-out', '/runs'])
    expect([200, 404, 405]).toContain((await api('GET', path, { headers: { cookie } })).status)
  expect((await api('GET', '/auth/actor', { headers: { cookie } })).status).toBe(200)
})

test('K5 nobody is signed in by a page elsewhere, as themselves or as somebody else', async () => {
  const { add, api } = await openPeople()
  await add('ann@example.org')
  const body = { email: 'ann@example.org', password: strongPassword }
  for (const headers of elsewhere)
    expect(await api('POST', '/auth/sign-in', { body, headers })).toMatchObject({ status: 403 })
  expect((await api('POST', '/auth/sign-in', { body })).status).toBe(204)
})

test('in dev whoever is on this machine is its developer, and no page elsewhere is', async () => {
  const { api } = await openPeople({}, { people: undefined as never, url: undefined as never, dev: true })
  const local = { remoteAddress: '127.0.0.1', local: true }
  const own = { 'sec-fetch-site': 'same-origin', origin: publicUrl }
  expect(await api('GET', '/auth/actor', { surroundings: local })).toMatchObject({
    status: 200,
    body: { kind: 'developer', role: 'admin', dev: true },
  })
  // A tool of the developer's, and a page of the server.
  for (const headers of [{}, own])
    expect((await api('POST', '/auth/sign-out', { headers, surroundings: local })).status).toBe(204)
  for (const headers of elsewhere)
    expect((await api('POST', '/auth/sign-out', { headers, surroundings: local })).status).toBe(403)
  expect((await api('GET', '/runs', { headers: elsewhere[0]!, surroundings: local })).status).toBe(403)
  expect((await api('GET', '/auth/actor', { surroundings: { remoteAddress: '127.0.0.1' } })).status).toBe(401)
})
