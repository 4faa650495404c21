// Signing in and out as people do: by a link, a password, a session; and what ends it.
import { afterEach, expect, test } from 'vitest'
import { peopleOn, publicUrl, strongPassword } from '../../../test/people.ts'
import { until } from '../../../test/deadline.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { hashToken } from '../people/link.ts'

const { database } = await openMillrace()
const openPeople = peopleOn(database)
afterEach(async () => {
  await database.query('delete from millrace.person')
  await database.query('delete from millrace.person_link')
  await database.query('delete from millrace.sign_in_lock')
})

test('the first admin begins by a link that works once and for an hour, and invites others', async () => {
  const { api, first, person } = await openPeople()
  const token = await first()
  const stale = await first()
  expect(await api('POST', '/auth/link/show', { body: { token } })).toMatchObject({ status: 404 })
  expect(await api('POST', '/auth/link/show', { body: { token: stale } })).toMatchObject({
    status: 200,
    body: { purpose: 'first_admin', email: null },
  })
  await database.clock.advance('61 minutes')
  const late = { token: stale, email: 'ann@example.org', name: 'Ann', password: strongPassword }
  expect(await api('POST', '/auth/link/use', { body: late })).toMatchObject({
    status: 404,
    body: { code: 'link_invalid' },
  })
  const used = { ...late, token: await first() }
  const twice = await Promise.all([1, 2].map(() => api('POST', '/auth/link/use', { body: used })))
  expect(twice.map(({ status }) => status).sort()).toEqual([200, 404])
  await expect(first()).rejects.toThrow('There is an admin')

  const ann = await person('ann@example.org')
  expect(await ann.ask('GET', '/auth/actor')).toMatchObject({
    status: 200,
    body: { kind: 'person', name: 'ann@example.org', role: 'admin', payloads: true, dev: false },
  })
  const invited = await ann.ask('POST', '/people', { email: 'Bob@Example.org', role: 'viewer' })
  expect(invited).toMatchObject({ status: 201, body: { link: expect.stringMatching(/\/auth\/link#/) } })
  const link = { token: invited.body.link.split('#')[1], password: strongPassword, name: 'Bob' }
  expect(await api('POST', '/auth/link/use', { body: link })).toMatchObject({ status: 200 })
  const bob = await person('bob@example.org')
  expect(await bob.ask('GET', '/people')).toMatchObject({ status: 403 })
  expect(await bob.ask('GET', '/runs')).toMatchObject({ status: 200 })
})

test('JQ-11 K4 a session ends without use, at its end however busy it is, and when it is signed out of', async () => {
  const { add, person } = await openPeople({ sessions: { idleSeconds: 3_600, absoluteSeconds: 86_400 } })
  await add('ann@example.org')
  const idle = await person('ann@example.org')
  const busy = await person('ann@example.org')
  await database.clock.advance('50 minutes')
  expect((await busy.ask('GET', '/auth/actor')).status).toBe(200)
  await database.clock.advance('20 minutes')
  expect((await idle.ask('GET', '/auth/actor')).status).toBe(401)
  expect((await busy.ask('GET', '/auth/actor')).status).toBe(200)
  for (let hour = 1; hour < 23; hour++) {
    await database.clock.advance('59 minutes')
    expect((await busy.ask('GET', '/auth/actor')).status).toBe(200)
  }
  await database.clock.advance('59 minutes')
  await database.clock.advance('59 minutes')
  expect((await busy.ask('GET', '/auth/actor')).status).toBe(401)

  const first = await person('ann@example.org')
  const other = await person('ann@example.org')
  const out = await first.ask('POST', '/auth/sign-out')
  expect(out.status).toBe(204)
  expect(out.headers.get('set-cookie')).toMatch(/^__Host-millrace_session=; .*Max-Age=0/)
  expect((await first.ask('GET', '/auth/actor')).status).toBe(401)
  expect((await other.ask('GET', '/auth/actor')).status).toBe(200)
  const { body } = await other.ask('GET', '/auth/sessions')
  expect(body).toMatchObject({ items: [{ id: body.current }] })
  expect((await other.ask('DELETE', `/auth/sessions/${body.current}`)).status).toBe(204)
  expect((await other.ask('GET', '/auth/sessions')).status).toBe(401)
})

test('K4 a sign-in makes a session of its own, whatever cookie came with it, and ends the one that it came in', async () => {
  const { add, api, person } = await openPeople()
  await add('ann@example.org')
  const before = await person('ann@example.org')
  const again = await api('POST', '/auth/sign-in', {
    body: { email: 'ann@example.org', password: strongPassword },
    headers: { cookie: before.cookie, origin: publicUrl, 'sec-fetch-site': 'same-origin' },
  })
  const cookie = again.headers.getSetCookie()[0]!
  expect(cookie).toMatch(
    /^__Host-millrace_session=\S+; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  )
  expect(cookie.split(';')[0]).not.toBe(before.cookie)
  expect((await before.ask('GET', '/auth/actor')).status).toBe(401)
  const own = cookie.split(';')[0]!
  const forged = [
    '__Host-millrace_session=fixed.c2lnbmVk',
    `${own}x`,
    `${own}; ${own}`,
    own.replace('__Host-', ''),
  ]
  for (const one of forged)
    expect((await api('GET', '/auth/actor', { headers: { cookie: one } })).status).toBe(401)
  expect((await api('GET', '/auth/actor', { headers: { cookie: own } })).status).toBe(200)
  const [row] = await database.query<{ row: string }>(
    'select row_to_json(s)::text as row from millrace.person_session s',
  )
  expect(row!.row).not.toContain(decodeURIComponent(own).split('=')[1]!.split('.')[0])
})

test('K4 a change of the password ends the other sessions, and takes the one before; who is disabled is out at once', async () => {
  const { add, person, api } = await openPeople()
  await add('ann@example.org', 'admin')
  const bobId = await add('bob@example.org')
  const [bob, tab, ann] = [
    await person('bob@example.org'),
    await person('bob@example.org'),
    await person('ann@example.org'),
  ]
  const changed = { password: strongPassword, new_password: 'seven loud geese in a field' }
  expect(await bob.ask('POST', '/auth/password', { ...changed, password: 'wrong' })).toMatchObject({
    status: 401,
    body: { code: 'sign_in_failed' },
  })
  for (const new_password of ['short', 'l'.repeat(257)])
    expect(await bob.ask('POST', '/auth/password', { ...changed, new_password })).toMatchObject({
      status: 422,
      body: { code: 'password_refused', fields: { reason: 'length' } },
    })
  expect((await bob.ask('POST', '/auth/password', changed)).status).toBe(204)
  expect((await tab.ask('GET', '/auth/actor')).status).toBe(401)
  expect((await bob.ask('GET', '/auth/actor')).status).toBe(200)
  await expect(person('bob@example.org')).rejects.toThrow('401')

  expect((await ann.ask('POST', `/people/${bobId}/disable`)).body).toEqual({ changed: true })
  expect((await bob.ask('GET', '/auth/actor')).status).toBe(401)
  const wrong = await api('POST', '/auth/sign-in', {
    body: { email: 'nobody@example.org', password: changed.new_password },
  })
  const disabled = await api('POST', '/auth/sign-in', {
    body: { email: 'bob@example.org', password: changed.new_password },
  })
  const told = ({ status, body }: typeof wrong) => ({ status, ...body, correlation_id: undefined })
  expect(told(disabled)).toEqual(told(wrong))
  expect((await ann.ask('POST', `/people/${bobId}/enable`)).body).toEqual({ changed: true })
  await person('bob@example.org', changed.new_password)
})

test('five tries that fail lock a person and a sender out for 15 minutes, whether there is such a person or not, and however many come at once', async () => {
  const { add, api } = await openPeople()
  await add('ann@example.org')
  const attempt = (email: string, password: string, remoteAddress?: string) =>
    api('POST', '/auth/sign-in', {
      body: { email, password },
      surroundings: { remoteAddress },
    })
  for (const email of ['ann@example.org', 'nobody@example.org']) {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) => attempt(email, 'wrong', `192.0.2.${n}`)),
    )
    const statuses = all.map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array(5).fill(401), ...Array(15).fill(429)])
    const locked = await attempt(email, strongPassword)
    expect(locked).toMatchObject({ status: 429, body: { code: 'sign_in_locked' } })
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(800)
  }
  await database.clock.advance('15 minutes')
  expect((await attempt('ann@example.org', strongPassword)).status).toBe(204)

  // One sender tries one password at many accounts, in one network of IPv6, and with an account of its own.
  for (let n = 0; n < 5; n++) {
    expect((await attempt(`other-${n}@example.org`, 'wrong', `2001:db8::${n}`)).status).toBe(401)
    if (n < 4) expect((await attempt('ann@example.org', strongPassword, '2001:db8::f')).status).toBe(204)
  }
  expect((await attempt('other-9@example.org', 'wrong', '2001:db8::ffff')).status).toBe(429)
  expect((await attempt('other-9@example.org', 'wrong', '2001:db8:0:1::1')).status).toBe(401)
  const rows = await database.query<{ key: string }>('select key from millrace.sign_in_lock')
  expect(JSON.stringify(rows)).not.toMatch(/example|2001/)
})

test('a link of an admin lets somebody set another password once; sessions and older links end with it', async () => {
  const { add, api, person } = await openPeople()
  await add('ann@example.org', 'admin')
  const bobId = await add('bob@example.org')
  const [ann, bob] = [await person('ann@example.org'), await person('bob@example.org')]
  const links = [1, 2].map(() => ann.ask('POST', `/people/${bobId}/link`, {}))
  const [, latest] = [await links[0]!, await links[1]!]
  expect(await ann.ask('GET', `/people/${bobId}`)).toMatchObject({ body: { link_purpose: 'reset' } })
  expect((await bob.ask('GET', '/auth/actor')).status).toBe(200)
  const shown = await ann.ask('POST', `/people/${bobId}/link`, {})
  const token = shown.body.link.split('#')[1]
  expect(
    (await api('POST', '/auth/link/show', { body: { token: latest!.body.link.split('#')[1] } })).status,
  ).toBe(404)
  const use = { token, password: 'seven loud geese in a field' }
  expect((await api('POST', '/auth/link/use', { body: use })).status).toBe(200)
  expect((await bob.ask('GET', '/auth/actor')).status).toBe(401)
  expect((await api('POST', '/auth/link/use', { body: use })).status).toBe(404)
  await person('bob@example.org', use.password)
  const stored = await database.query('select row_to_json(a)::text from millrace.person_account a')
  expect(JSON.stringify(stored)).not.toContain('geese')
  expect(JSON.stringify(stored)).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
})

test('K4 a sign-in with the password before, begun beside its change, gets no session that outlives the change', async () => {
  const { add, api } = await openPeople()
  const ann = await add('ann@example.org')
  const change = await database.pool.connect()
  try {
    await change.query('begin')
    await change.query(
      `select millrace.set_password(a.person_id, a.password, '$argon2id$another', gen_random_uuid(), gen_random_uuid())
         from millrace.person_account a where a.person_id = $1`,
      [ann],
    )
    // The password that is stored for others is still the one before, and the session waits for the change.
    const signing = api('POST', '/auth/sign-in', {
      body: { email: 'ann@example.org', password: strongPassword },
    })
    await until('the session waits for the change', () => isWaiting('begin_session'))
    await change.query('commit')
    expect(await signing).toMatchObject({ status: 401, body: { code: 'sign_in_failed' } })
  } finally {
    change.release(true)
  }
  expect(await database.query('select from millrace.person_session')).toHaveLength(0)
})

test('who uses a link beside an admin who disables them gets an answer, and the admin as well', async () => {
  const { add, api } = await openPeople()
  const ann = await add('ann@example.org')
  const token = 'y'.repeat(43)
  await database.query('select millrace.link_person($1, gen_random_uuid(), $2, 3600)', [
    ann,
    hashToken(token),
  ])
  const admin = await database.pool.connect()
  try {
    await admin.query('begin')
    await admin.query(`select millrace.change_person($1, name => 'Ann')`, [ann])
    const using = api('POST', '/auth/link/use', { body: { token, password: 'seven loud geese in a field' } })
    await until('the link waits for the admin', () => isWaiting('use_link'))
    await admin.query('select millrace.disable_person($1)', [ann])
    await admin.query('commit')
    expect(await using).toMatchObject({ status: 404, body: { code: 'link_invalid' } })
  } finally {
    admin.release(true)
  }
})

test('the link of the first admin is void once there is an admin who can sign in', async () => {
  const { add, api, first } = await openPeople()
  const token = await first()
  await add('ann@example.org', 'admin')
  const body = { token, email: 'mallory@example.org', password: strongPassword }
  expect(await api('POST', '/auth/link/use', { body })).toMatchObject({
    status: 404,
    body: { code: 'link_invalid' },
  })
  expect(await database.query('select from millrace.person')).toHaveLength(1)
})

async function isWaiting(name: string): Promise<boolean> {
  const rows = await database.query(
    `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like '%' || $1 || '%'`,
    [`millrace.${name}(`],
  )
  return rows.length > 0
}

test('who signed in, out, was invited and changed stands in the audit trail by name and sender, and nothing that signs in does', async () => {
  const { add, api, person, log } = await openPeople()
  const [{ last }] = (await database.query(
    'select coalesce(max(id), 0)::int as last from millrace.audit_entry',
  )) as [{ last: number }]
  await add('ann@example.org', 'admin')
  const body = { email: 'ann@example.org', password: strongPassword }
  const surroundings = { remoteAddress: '192.0.2.7' }
  expect((await api('POST', '/auth/sign-in', { body, surroundings })).status).toBe(204)
  const ann = await person('ann@example.org')
  const bob = (await ann.ask('POST', '/people', { email: 'bob@example.org', role: 'viewer' })).body
  await ann.ask('PATCH', `/people/${bob.id}`, { role: 'operator' })
  await ann.ask('POST', '/auth/sign-out')
  const entries = await database.query<{ action: string; actor: string; address: string; after: object }>(
    'select action, actor, address, before, after from millrace.audit_entry where id > $1 order by id',
    [last],
  )
  const told = entries.map(({ action, actor }) => `${actor} ${action}`)
  expect(told).toContain('ann@example.org person_session.removed')
  expect(
    entries.find(({ action, address }) => action === 'person_session.created' && address === '192.0.2.7'),
  ).toMatchObject({
    actor: 'ann@example.org',
  })
  expect(entries.find(({ action }) => action === 'person.changed')).toMatchObject({
    actor: 'ann@example.org',
    before: { role: 'viewer' },
    after: { role: 'operator' },
  })
  expect(JSON.stringify(entries)).not.toMatch(/argon2/)
  expect(JSON.stringify(entries)).not.toContain(bob.link.split('#')[1])
  await api('POST', '/auth/sign-in', { body: { ...body, password: 'pa55word in clear' }, surroundings })
  expect(log).toMatchObject([{ event: 'sign_in.refused', code: 'sign_in_failed', address: '192.0.2.7' }])
  expect(JSON.stringify(log)).not.toMatch(/pa55word|ann@/)
})

test('J4 no password, no token of a session or a link and no secret of the server is found in a table, a log or an answer but the one that gives it', async () => {
  const secret = 'canary-of-the-server-that-is-long-enough'
  const { api, first, person, log } = await openPeople({ secret })
  const token = await first()
  const used = { token, email: 'ann@example.org', name: 'Ann', password: 'canary of a first password' }
  const answers = [await api('POST', '/auth/link/use', { body: used, headers: { 'idempotency-key': 'a' } })]
  const ann = await person('ann@example.org', used.password)
  const signIn = {
    body: { email: 'ann@example.org', password: 'canary of a wrong one' },
    headers: { 'idempotency-key': 'b' },
  }
  answers.push(await api('POST', '/auth/sign-in', signIn))
  const invited = await ann.ask(
    'POST',
    '/people',
    { email: 'bob@example.org', role: 'viewer' },
    { 'idempotency-key': 'c' },
  )
  const changed = { password: used.password, new_password: 'canary of the next password' }
  answers.push(await ann.ask('POST', '/auth/password', changed, { 'idempotency-key': 'd' }))
  for (const path of ['/people', '/people/ann@example.org', '/auth/sessions', '/auth/actor', '/audit-trail'])
    answers.push(await ann.ask('GET', path))
  const session = decodeURIComponent(ann.cookie).split('=')[1]!.split('.')
  const canaries = [
    secret,
    token,
    used.password,
    signIn.body.password,
    changed.new_password,
    session[0]!,
    session[1]!,
    invited.body.link.split('#')[1],
  ]

  const tables = await database.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relnamespace = 'millrace'::regnamespace and relkind = 'r'",
  )
  const rows = await Promise.all(
    tables.map(({ name }) => database.query(`select to_jsonb(t) as row from ${name} t`)),
  )
  const searched = JSON.stringify([rows, log, answers])
  expect(searched).toContain('bob@example.org')
  for (const canary of canaries) expect(searched.includes(canary), canary).toBe(false)
  // What is kept of requests under an idempotency key has a fast hash of their bodies: not of those that hold a password.
  const kept = await database.query('select idempotency_key from millrace.answered_request')
  expect(kept).toEqual([{ idempotency_key: 'c' }])
})

test('JQ-14 a server that is told a short secret does not open', async () => {
  for (const secret of ['', 'x'.repeat(31)])
    await expect(openPeople({ secret })).rejects.toMatchObject({ code: 'server_secret_missing' })
})

test('without people the server signs nobody in, and says so', async () => {
  const { api } = await openPeople({}, { people: undefined as never })
  expect(
    await api('POST', '/auth/sign-in', { body: { email: 'a@example.org', password: 'x' } }),
  ).toMatchObject({
    status: 404,
    body: { code: 'people_off' },
  })
})
