// What admins do with people: see them, change them, send them away; and never the last of themselves.
import { afterEach, expect, test } from 'vitest'
import { peopleOn } from '../../../test/people.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const openPeople = peopleOn(database)
afterEach(async () => {
  await database.query('delete from millrace.person')
  await database.query('delete from millrace.sign_in_lock')
})

test('people are listed page by page, and shown by id or address, without anything that signs them in', async () => {
  const { add, person } = await openPeople()
  const id = await add('ann@example.org', 'admin')
  for (const name of ['bob', 'cleo']) await add(`${name}@example.org`)
  const ann = await person('ann@example.org')
  const page = await ann.ask('GET', '/people?limit=2')
  expect(page.body.items.map(({ email }: { email: string }) => email)).toEqual([
    'ann@example.org',
    'bob@example.org',
  ])
  const next = await ann.ask('GET', `/people?limit=2&cursor=${page.body.next}`)
  expect(next.body).toMatchObject({ items: [{ email: 'cleo@example.org' }], next: null })
  for (const named of [id, 'Ann@example.org'])
    expect(await ann.ask('GET', `/people/${named}`)).toMatchObject({
      body: { id, role: 'admin', has_account: true, session_count: 1, link_purpose: null },
    })
  expect(await ann.ask('GET', '/people/nobody@example.org')).toMatchObject({ status: 404 })
  expect(JSON.stringify(page.body)).not.toMatch(/argon2|token/)
})

test('JQ-10 a change of somebody says which revision it saw; a stale one gets 409 and what there is', async () => {
  const { add, person } = await openPeople()
  await add('ann@example.org', 'admin', true)
  const bob = await add('bob@example.org')
  const ann = await person('ann@example.org')
  const change = (body: object, revision: number) =>
    ann.ask('PATCH', `/people/${bob}`, body, { 'if-match': `"${revision}"` })
  const raced = await Promise.all([change({ role: 'operator' }, 0), change({ payloads: true }, 0)])
  expect(raced.map(({ status }) => status).sort()).toEqual([200, 409])
  expect(raced.find(({ status }) => status === 409)!.body).toMatchObject({
    code: 'revision_conflict',
    fields: { seen: 0, revision: 1 },
  })
  expect(await change({ role: 'operator', payloads: true }, 1)).toMatchObject({ body: { revision: 2 } })
  expect(await change({ role: 'operator' }, 2)).toMatchObject({ body: { revision: 2 } })
  const browser = await person('bob@example.org')
  expect(await browser.ask('GET', '/auth/actor')).toMatchObject({
    body: { role: 'operator', payloads: true, scopes: expect.arrayContaining(['payloads:read']) },
  })
  expect((await ann.ask('PATCH', `/people/${bob}`, { payloads: false })).status).toBe(200)
  expect((await browser.ask('GET', '/auth/actor')).body.scopes).not.toContain('payloads:read')
})

test('two admins who send each other away at once are not both gone, and the last one stays', async () => {
  const { add, person } = await openPeople()
  const ids = [await add('ann@example.org', 'admin'), await add('bob@example.org', 'admin')]
  const [ann, bob] = [await person('ann@example.org'), await person('bob@example.org')]
  const raced = await Promise.all([
    ann.ask('POST', `/people/${ids[1]}/disable`),
    bob.ask('PATCH', `/people/${ids[0]}`, { role: 'viewer' }),
  ])
  expect(raced.filter(({ status }) => status === 200)).toHaveLength(1)
  const left = raced[0].status === 200 ? ann : bob
  const [own] = raced[0].status === 200 ? ids : [ids[1]]
  expect(await left.ask('POST', `/people/${own}/disable`)).toMatchObject({
    status: 409,
    body: { code: 'last_admin' },
  })
})

test('who is known is not invited again, and who is disabled gets no link; an admin ends the sessions of anybody', async () => {
  const { add, person, api } = await openPeople()
  await add('ann@example.org', 'admin')
  const bob = await add('bob@example.org')
  const [ann, browser] = [await person('ann@example.org'), await person('bob@example.org')]
  expect(await ann.ask('POST', '/people', { email: 'BOB@example.org', role: 'viewer' })).toMatchObject({
    status: 409,
    body: { code: 'person_exists' },
  })
  expect((await ann.ask('GET', `/people/${bob}/sessions`)).body.items).toHaveLength(1)
  expect((await ann.ask('POST', `/people/${bob}/end-sessions`)).body).toEqual({ ended: 1 })
  expect((await browser.ask('GET', '/auth/actor')).status).toBe(401)
  const token = 'x'.repeat(43)
  const hash = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url')
  expect(await ann.ask('POST', `/people/${bob}/link`, { token_hash: hash })).toMatchObject({
    body: { link: null },
  })
  expect(await api('POST', '/auth/link/show', { body: { token } })).toMatchObject({ status: 200 })
  expect((await ann.ask('POST', `/people/${bob}/disable`)).body).toEqual({ changed: true })
  expect((await ann.ask('POST', `/people/${bob}/disable`)).body).toEqual({ changed: false })
  expect(await api('POST', '/auth/link/show', { body: { token } })).toMatchObject({ status: 404 })
  expect(await ann.ask('POST', `/people/${bob}/link`, {})).toMatchObject({
    body: { code: 'person_disabled' },
  })
})

test('nobody makes or changes somebody who may more than they may, nor gets a link for one', async () => {
  const { add, person, api } = await openPeople()
  const ids = [await add('ann@example.org', 'admin', true), await add('bob@example.org', 'admin')]
  const viewer = await add('cleo@example.org')
  const seeing = await add('dan@example.org', 'viewer', true)
  const [ann, bob] = [await person('ann@example.org'), await person('bob@example.org')]
  const { key } = (
    await ann.ask('POST', '/keys', {
      name: 'inviting',
      role: 'admin',
      scopes: ['people:read', 'people:write'],
    })
  ).body
  const headers = { authorization: `Bearer ${key}` }
  const byKey = (method: string, path: string, body: object) => api(method, path, { body, headers })
  const refused = [
    await byKey('POST', '/people', { email: 'eve@example.org', role: 'admin' }),
    await byKey('POST', `/people/${ids[0]}/link`, {}),
    await byKey('POST', `/people/${viewer}/link`, {}),
    await byKey('PATCH', `/people/${viewer}`, { role: 'admin' }),
    await byKey('PATCH', `/people/${viewer}`, { payloads: true }),
    // An admin who sees no payloads: neither by themselves nor by somebody else.
    await bob.ask('PATCH', `/people/${ids[1]}`, { payloads: true }),
    await bob.ask('POST', '/people', { email: 'eve@example.org', role: 'viewer', payloads: true }),
    await bob.ask('POST', `/people/${seeing}/link`, {}),
  ]
  expect(refused.map(({ status, body }) => [status, body.code])).toEqual(
    refused.map(() => [403, 'not_allowed']),
  )
  expect(await database.query('select from millrace.person where payloads')).toHaveLength(2)
  // What takes rights away, and what gives no more than one has, goes on.
  expect(await bob.ask('PATCH', `/people/${seeing}`, { payloads: false })).toMatchObject({ status: 200 })
  expect(await bob.ask('PATCH', `/people/${viewer}`, { role: 'admin' })).toMatchObject({ status: 200 })
  expect(await bob.ask('POST', `/people/${seeing}/link`, {})).toMatchObject({ status: 200 })
  expect(await byKey('PATCH', `/people/${seeing}`, { name: 'Daniel' })).toMatchObject({ status: 200 })
  expect(await byKey('POST', `/people/${seeing}/disable`, {})).toMatchObject({ status: 200 })
  expect(await byKey('POST', `/people/${seeing}/enable`, {})).toMatchObject({ status: 403 })
  expect(await bob.ask('POST', `/people/${seeing}/enable`, {})).toMatchObject({ status: 200 })
})

test('a link that an admin got for somebody is void once another one lets them do more', async () => {
  const { add, person, api } = await openPeople()
  await add('ann@example.org', 'admin', true)
  await add('bob@example.org', 'admin')
  const [ann, bob] = [await person('ann@example.org'), await person('bob@example.org')]
  const invite = async (who: typeof ann, email: string) => {
    const { id, link } = (await who.ask('POST', '/people', { email, role: 'viewer' })).body
    return { id, body: { token: link.split('#')[1] } }
  }
  const [cleo, dan] = [await invite(bob, 'cleo@example.org'), await invite(bob, 'dan@example.org')]
  const standing = async ({ body }: typeof cleo) => (await api('POST', '/auth/link/show', { body })).status
  // Who lets them do more may well know the link, where it is their own.
  expect((await bob.ask('PATCH', `/people/${cleo.id}`, { role: 'operator' })).status).toBe(200)
  expect((await ann.ask('PATCH', `/people/${cleo.id}`, { name: 'Cleo', role: 'viewer' })).status).toBe(200)
  expect([await standing(cleo), await standing(dan)]).toEqual([200, 200])
  expect((await ann.ask('PATCH', `/people/${cleo.id}`, { payloads: true })).status).toBe(200)
  expect((await ann.ask('PATCH', `/people/${dan.id}`, { role: 'admin' })).status).toBe(200)
  expect([await standing(cleo), await standing(dan)]).toEqual([404, 404])
})

test('somebody has 20 sessions at most: the oldest makes room', async () => {
  const { add, person } = await openPeople({ signIn: { triesMax: 100 } })
  await add('ann@example.org')
  const first = await person('ann@example.org')
  for (let n = 0; n < 20; n++) {
    await database.clock.advance('1 second')
    await person('ann@example.org')
  }
  expect((await first.ask('GET', '/auth/actor')).status).toBe(401)
  const [{ count }] = (await database.query('select count(*)::int from millrace.person_session')) as [
    { count: number },
  ]
  expect(count).toBe(20)
})

test('PP-S16 in SQL people, their sessions and passwords are for admins alone: other roles are refused, and see no empty list', async () => {
  const client = await database.pool.connect()
  try {
    for (const role of ['viewer', 'operator', 'worker'])
      for (const statement of [
        ...['person', 'person_account', 'person_session', 'person_link', 'sign_in_lock'].map(
          (table) => `table millrace.${table}`,
        ),
        "select millrace.find_session('x', 60)",
        "select millrace.change_person(gen_random_uuid(), role => 'admin')",
        "select millrace.use_link('x', 'x', gen_random_uuid(), gen_random_uuid())",
      ]) {
        await client.query(`set role millrace_${role}`)
        await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
        await client.query('reset role')
      }
  } finally {
    client.release()
  }
})
