// Application users decide on approvals of their own tenant.
import { expect, test } from 'vitest'
import { asks, openApplicationUsers } from '../../../test/application-users.ts'
import { until } from '../../../test/deadline.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database, opened } = await openMillrace()
const users = openApplicationUsers(database, opened)

test('an application user decides on what names it or a role of it, once, on record with the person; what names nobody is for operators', async () => {
  const decide = `select state, approvals, quorum from millrace.decide_own_approval($1, 'approve', null, 'fine')`
  const ben = { tenant: 'acme', sub: 'ben', roles: ['sales'] }
  for (const name of ['acme', 'acme roles', 'acme anybody'])
    await expect(users.request(ben, decide, [await users.approvalOf(name)])).rejects.toMatchObject({
      code: 'MR021',
    })
  await expect(
    users.request({ tenant: 'acme', sub: 'ann' }, decide, [await users.approvalOf('bolt')]),
  ).rejects.toMatchObject({ code: 'MR019' })
  await expect(users.acme.query(decide, [await users.approvalOf('bolt')])).rejects.toMatchObject({
    code: 'MR019',
  })

  expect(
    await users.request({ tenant: 'acme', sub: 'ann' }, decide, [await users.approvalOf('acme')]),
  ).toEqual([{ state: 'approved', approvals: 1, quorum: 1 }])
  await expect(
    users.request({ tenant: 'acme', sub: 'ann' }, decide, [await users.approvalOf('acme')]),
  ).rejects.toMatchObject({ code: 'MR020' })
  expect(
    await users.request({ ...ben, roles: ['billing'] }, decide, [await users.approvalOf('acme roles')]),
  ).toMatchObject([{ state: 'approved' }])
  // A login with SQL of its own can't say more of itself than who it is.
  const named = await opened.client().start(asks, { people: [users.roles.acme] } as never, { tenant: 'acme' })
  const approval = await until('it is asked', async () => {
    const [row] = await database.query<{ id: string }>('select id from millrace.approval where run_id = $1', [
      named.run!.id,
    ])
    return row?.id
  })
  await users.acme.query(
    `begin; set local millrace.request = '{"kind": "person", "id": "p-admin", "address": "192.0.2.9"}'; set local millrace.actor = 'before'`,
  )
  await users.acme.query(decide, [approval])
  expect(
    (await users.acme.query(`select current_setting('millrace.actor') as actor`)).rows,
    'what follows is not the decision of that person',
  ).toEqual([{ actor: 'before' }])
  await users.acme.query('commit')
  expect(
    await database.query(
      `select actor, actor_kind, actor_id, address from millrace.audit_entry where action = 'approval.decided' and subject = $1`,
      [approval],
    ),
  ).toEqual([{ actor: users.roles.acme, actor_kind: null, actor_id: null, address: null }])

  expect(
    await database.query(
      `select actor, login, detail ->> 'by' as by from millrace.audit_entry where action = 'approval.decided' order by id`,
    ),
  ).toEqual([
    { actor: 'ann', login: users.roles.authenticator, by: 'ann' },
    { actor: 'ben', login: users.roles.authenticator, by: 'ben' },
    { actor: users.roles.acme, login: users.roles.acme, by: users.roles.acme },
  ])
})

test('an application user gives no larger value along than the server lets in over HTTP, so that none fills a worker of all tenants', async () => {
  await opened.worker({ pipelines: [asks] })
  const started = await opened.client().start(asks, { people: ['ann'] } as never, { tenant: 'acme' })
  const approval = await until('it is asked', async () => {
    const [row] = await database.query<{ id: string }>('select id from millrace.approval where run_id = $1', [
      started.run!.id,
    ])
    return row?.id
  })
  const decide = (bytes: number) =>
    users.request(
      { tenant: 'acme', sub: 'ann' },
      `select state from millrace.decide_own_approval($1, 'approve', to_jsonb(repeat('x', $2)))`,
      [approval, bytes - 2],
    )
  await expect(decide(1_048_577)).rejects.toMatchObject({
    code: 'MR014',
    message: 'value must be of at most 1,048,576 bytes, not of 1048577.',
  })
  expect(await decide(1_048_576)).toEqual([{ state: 'approved' }])
})
